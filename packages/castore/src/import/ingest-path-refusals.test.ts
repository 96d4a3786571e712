import { execFileSync } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import net from "node:net";
import { describe, expect, it } from "vitest";
import { MemoryBlobService } from "../blobservice/memory.js";
import { MemoryDirectoryService } from "../directoryservice/memory.js";
import { CastoreError } from "../errors.js";
import { LocalStore } from "../localstore/local-store.js";
import { directory, file, symlink, writeFileTree } from "../testing/file-trees.js";
import { scratchDirectory } from "../testing/scratch-directory.js";
import { seededBytes } from "../testing/seeded-random.js";
import { collect } from "../testing/sources.js";
import { workerUrl } from "../threads/worker-url.js";
import { ImportError, type ImportErrorReason } from "./import-error.js";
import type { IngestServices } from "./ingest.js";
import { ingestPath } from "./ingest-path.js";
import { BATCH_BYTES } from "./tree-reader.js";

/** Somebody without special rights, on every system. */
const NOBODY = 65_534;

const scratch = scratchDirectory();

function memoryServices(): IngestServices {
  return { blobs: new MemoryBlobService(), directories: new MemoryDirectoryService() };
}

/** The error of an import that must fail. */
async function refusal(
  path: string | Uint8Array,
  services: IngestServices = memoryServices(),
): Promise<ImportError> {
  const error: unknown = await ingestPath(services, path).then(
    () => expect.fail("It was imported"),
    (reason: unknown) => reason,
  );
  if (!(error instanceof ImportError)) throw error;
  expect(CastoreError.is(error)).toBe(true);
  expect(error.message).toBe(`Cannot import "${error.path}": ${error.message.split('": ')[1]}`);
  return error;
}

function expectReason(error: ImportError, reason: ImportErrorReason, path: string): void {
  expect([error.reason, error.path]).toEqual([reason, path]);
}

describe("ingestPath() and what is no file, directory or link", () => {
  it.each([
    ["the root", ""],
    ["in a tree", "/d/fifo"],
  ])("refuses a fifo as %s, without waiting for a writer", async (_, inside) => {
    const path = scratch(`tree${inside}`);
    if (inside !== "") writeFileTree(scratch("tree"), directory({ a: file("x"), d: directory() }));
    execFileSync("mkfifo", [path]);
    const error = await refusal(scratch("tree"));
    expectReason(error, "unsupported-type", path);
    expect(error.code).toBe("INVALID_ARGUMENT");
  });

  it.each([
    ["the root", "socket"],
    ["in a tree", "tree/socket"],
  ])("refuses a socket as %s", async (_, name) => {
    fs.mkdirSync(scratch("tree"));
    const server = net.createServer().listen(scratch(name));
    try {
      await once(server, "listening");
      expectReason(await refusal(scratch(name.split("/")[0])), "unsupported-type", scratch(name));
    } finally {
      server.close();
      await once(server, "close");
    }
  });

  it("refuses a character device of the system", async () => {
    expectReason(await refusal("/dev/null"), "unsupported-type", "/dev/null");
  });

  it.for(["c", "b"])("refuses a device of type %s in a tree", async (type, { skip }) => {
    fs.mkdirSync(scratch("tree"));
    try {
      execFileSync("mknod", [scratch("tree/device"), type, "1", "3"], { stdio: "ignore" });
    } catch {
      skip("devices may not be made here");
    }
    expectReason(await refusal(scratch("tree")), "unsupported-type", scratch("tree/device"));
  });
});

describe("ingestPath() and what it may not read", () => {
  it.each([
    ["a file", directory({ a: file("x"), secret: file("x", 0o000) }), "tree/secret"],
    ["a directory", directory({ a: file("x"), secret: directory() }), "tree/secret"],
  ])("refuses %s", async (_, tree, denied) => {
    writeFileTree(scratch("tree"), tree);
    fs.chmodSync(scratch(denied), 0o000);
    const error = await asOrdinaryUser(() => refusal(scratch("tree"))).finally(() =>
      fs.chmodSync(scratch(denied), 0o700),
    );
    expectReason(error, "access-denied", scratch(denied));
    expect(error.code).toBe("PERMISSION_DENIED");
  });

  it("refuses a directory that may be listed but not entered", async () => {
    writeFileTree(scratch("tree"), directory({ d: directory({ f: file("x") }) }));
    fs.chmodSync(scratch("tree/d"), 0o444);
    const error = await asOrdinaryUser(() => refusal(scratch("tree"))).finally(() =>
      fs.chmodSync(scratch("tree/d"), 0o700),
    );
    expectReason(error, "access-denied", scratch("tree/d/f"));
  });

  /** Does `action` without the rights of the superuser, for whom everything is readable. */
  async function asOrdinaryUser<T>(action: () => Promise<T>): Promise<T> {
    if (process.geteuid?.() !== 0) return action();
    fs.chmodSync(scratch(), 0o755);
    process.seteuid?.(NOBODY);
    try {
      // The thread of the import is started by the same user.
      fs.accessSync(workerUrl("../import/reader-thread", import.meta.url));
      return await action();
    } finally {
      process.seteuid?.(0);
    }
  }
});

describe("ingestPath() and what is not there", () => {
  it.each([
    ["a path that does not exist", "missing", "missing"],
    ["a path below a file", "file/inside", "file/inside"],
    ["a path below a dangling link", "dangling/inside", "dangling/inside"],
  ])("refuses %s", async (_, path, named) => {
    fs.writeFileSync(scratch("file"), "x");
    fs.symlinkSync("nowhere", scratch("dangling"));
    expectReason(await refusal(scratch(path)), "not-found", scratch(named));
  });

  it("refuses a path below a link to itself", async () => {
    fs.symlinkSync("loop", scratch("loop"));
    const error = await refusal(scratch("loop/inside"));
    expectReason(error, "io", scratch("loop/inside"));
    expect(error.message).toContain("(ELOOP)");
  });

  it("refuses an empty path, which may be a variable that was not set", async () => {
    const error = await refusal("");
    expectReason(error, "not-found", "");
  });

  it("refuses a path with a NUL byte", async () => {
    expectReason(await refusal("a\0b"), "invalid", "a\\x00b");
  });

  it("refuses a path that is too long for the system, and names it without its raw text", async () => {
    const error = await refusal(`${scratch()}/\x1b[31m${"n".repeat(300)}`);
    expectReason(error, "io", `${scratch()}/\\x1b[31m${"n".repeat(300)}`);
    expect(error.message).toContain("(ENAMETOOLONG)");
    expect(error.message).not.toContain("\x1b");
  });

  it("names a path that is not UTF-8 by its bytes", async () => {
    const error = await refusal(Buffer.from(`${scratch()}/\xff\n"`, "latin1"));
    expectReason(error, "not-found", `${scratch()}/\\xff\\x0a\\x22`);
  });
});

describe("ingestPath() that is refused", () => {
  it("leaves no Directory behind, nor a root", async () => {
    const services = memoryServices();
    writeFileTree(scratch("d"), directory({ f: file("x") }));
    const complete = await ingestPath(memoryServices(), scratch("d"));
    writeFileTree(scratch("tree"), directory({ a: directory({ f: file("x") }) }));
    execFileSync("mkfifo", [scratch("tree/z")]);
    await refusal(scratch("tree"), services);
    if (complete.node.type !== "directory") expect.fail("It is no directory");
    expect(await services.directories.get(complete.node.digest)).toBeUndefined();
  });

  it("leaves a local store sound, which takes the same tree once it is right", async () => {
    writeFileTree(
      scratch("tree"),
      directory({ a: directory({ f: file(seededBytes(1, 2 * BATCH_BYTES)) }), l: symlink("a") }),
    );
    execFileSync("mkfifo", [scratch("tree/z")]);
    await using store = await LocalStore.open(scratch("store"));
    await refusal(scratch("tree"), store);
    expect((await store.stats()).directories).toBe(0);
    expect(await collect(store.check())).toEqual([]);
    fs.rmSync(scratch("tree/z"));
    const { node } = await ingestPath(store, scratch("tree"));
    expect(node).toEqual((await ingestPath(memoryServices(), scratch("tree"))).node);
    expect(await collect(store.check())).toEqual([]);
  });
});
