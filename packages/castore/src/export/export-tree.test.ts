import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { MemoryBlobService } from "../blobservice/memory.js";
import { toUtf8 } from "../bytes.js";
import { MemoryDirectoryService } from "../directoryservice/memory.js";
import { ingestPath } from "../import/ingest-path.js";
import { LocalStore } from "../localstore/local-store.js";
import { Directory } from "../nodes/directory.js";
import { directoryNode, fileNode, type Node, symlinkNode } from "../nodes/node.js";
import { SymlinkTarget } from "../nodes/symlink-target.js";
import { PathComponent } from "../path/component.js";
import { NOWHERE } from "../testing/directory-builders.js";
import { scratchDirectory } from "../testing/scratch-directory.js";
import { seededBytes } from "../testing/seeded-random.js";
import { type ExportServices, exportTree } from "./export-tree.js";

const scratch = scratchDirectory();
const MIB = 1024 * 1024;

function memory() {
  return { blobs: new MemoryBlobService(), directories: new MemoryDirectoryService() };
}

async function file(
  services: ExportServices,
  content: string | Uint8Array,
  executable = false,
): Promise<Node> {
  const bytes = typeof content === "string" ? toUtf8(content) : content;
  const [digest = NOWHERE] = await services.blobs.putMany([bytes]);
  return fileNode(digest, BigInt(bytes.byteLength), executable);
}

async function directory(
  services: ExportServices,
  entries: Readonly<Record<string, Node>>,
): Promise<Node> {
  const made = Directory.fromEntries(
    Object.entries(entries).map(([name, node]) => ({ name: PathComponent.parse(name), node })),
  );
  return directoryNode(await services.directories.put(made), made.size());
}

function mode(path: string): number {
  return fs.lstatSync(path).mode & 0o7777;
}

describe("exportTree()", () => {
  it.each([true, false])("writes files, directories and links (local store: %s)", async (local) => {
    const base = scratch();
    await using store = await LocalStore.open(join(base, "store"));
    const services: ExportServices = local ? store : memory();
    const large = seededBytes(1, 3 * MIB);
    const root = await directory(services, {
      empty: await directory(services, {}),
      "empty-file": await file(services, ""),
      large: await file(services, large),
      "large-again": await file(services, large, true),
      link: symlinkNode(SymlinkTarget.parse("/etc/passwd")),
      program: await file(services, "#!/bin/sh\n", true),
      sub: await directory(services, { deep: await file(services, "deep") }),
      text: await file(services, "text"),
    });
    const at = join(base, "out");
    const progress = await exportTree(services, root, `${at}/`);
    expect(progress).toEqual({ entries: 10, files: 6, bytes: 2 * large.length + 18 });
    expect(fs.readdirSync(base).sort()).toEqual(local ? ["out", "store"] : ["out"]);
    expect(fs.readFileSync(join(at, "large")).equals(large)).toBe(true);
    expect(fs.readFileSync(join(at, "large-again")).equals(large)).toBe(true);
    expect(fs.readlinkSync(join(at, "link"))).toBe("/etc/passwd");
    expect(fs.readFileSync(join(at, "sub", "deep"), "utf8")).toBe("deep");
    for (const name of ["", "empty", "sub", "program", "large-again"]) {
      expect([name, mode(join(at, name))]).toEqual([name, 0o555]);
    }
    for (const name of ["empty-file", "large", "text", "sub/deep"]) {
      expect([name, mode(join(at, name))]).toEqual([name, 0o444]);
    }
    const back = memory();
    expect((await ingestPath(back, at)).node).toEqual(root);
  });

  it("leaves the permissions to the umask where it is to be writable", async () => {
    const services = memory();
    const large = seededBytes(2, MIB);
    const root = await directory(services, {
      a: await file(services, "a"),
      b: await file(services, "b", true),
      c: await file(services, large),
      d: await file(services, large, true),
    });
    const at = join(scratch(), "out");
    await exportTree(services, root, at, { writable: true });
    const umask = process.umask();
    expect(["", "a", "b", "c", "d"].map((name) => mode(join(at, name)))).toEqual(
      [0o777, 0o666, 0o777, 0o666, 0o777].map((bits) => bits & ~umask),
    );
  });

  it("makes equal files one where that is wanted, but not by permissions", async () => {
    const services = memory();
    const root = await directory(services, {
      a: await file(services, "same"),
      b: await file(services, "same"),
      c: await file(services, "same", true),
      d: await file(services, "same", true),
    });
    const base = scratch();
    await exportTree(services, root, join(base, "linked"), { hardlink: true });
    await exportTree(services, root, join(base, "apart"));
    const inodes = (name: string) =>
      ["a", "b", "c", "d"].map((entry) => fs.lstatSync(join(base, name, entry)).ino);
    const [a, b, c, d] = inodes("linked");
    expect([a === b, c === d, a === c]).toEqual([true, true, false]);
    expect(new Set(inodes("apart")).size).toBe(4);
    expect(mode(join(base, "linked", "d"))).toBe(0o555);
  });

  it("exports single files and links", async () => {
    const services = memory();
    const base = scratch();
    await exportTree(services, await file(services, "alone", true), join(base, "file"));
    await exportTree(services, symlinkNode(SymlinkTarget.parse("nowhere")), join(base, "link"));
    await exportTree(services, await file(services, seededBytes(3, MIB)), join(base, "large"));
    expect(fs.readFileSync(join(base, "file"), "utf8")).toBe("alone");
    expect([mode(join(base, "file")), fs.statSync(join(base, "file")).nlink]).toEqual([0o555, 1]);
    expect(fs.readlinkSync(join(base, "link"))).toBe("nowhere");
    expect(fs.readdirSync(base).sort()).toEqual(["file", "large", "link"]);
  });

  it("keeps names of any bytes, and the longest ones", async () => {
    const services = memory();
    const content = await file(services, "x");
    const names: Uint8Array[] = [];
    for (let byte = 1; byte < 256; byte++) {
      if (byte !== 0x2f) names.push(Uint8Array.of(0x61, byte));
    }
    names.push(new Uint8Array(255).fill(0xff), toUtf8("..."), toUtf8("a..b"), toUtf8("-rf"));
    const made = Directory.fromEntries(
      names.map((name) => ({ name: PathComponent.fromBytes(name), node: content })),
    );
    const root = directoryNode(await services.directories.put(made), made.size());
    const at = join(scratch(), "out");
    await exportTree(services, root, at);
    expect((await ingestPath(memory(), at)).node).toEqual(root);
  });

  it("goes deeper than the system takes a path", async () => {
    const services = memory();
    let node = await file(services, "bottom");
    for (let i = 0; i < 40; i++) node = await directory(services, { ["d".repeat(200)]: node });
    const base = scratch();
    await exportTree(services, node, join(base, "out"), { writable: true });
    let at = join(base, "out");
    for (let i = 0; i < 10; i++) at = join(at, "d".repeat(200));
    expect(fs.readdirSync(at)).toEqual(["d".repeat(200)]);
    const missing = fileNode(NOWHERE, 1n);
    let broken: Node = await directory(services, { x: missing, y: node });
    broken = await directory(services, { z: broken });
    await expect(exportTree(services, broken, join(base, "broken"))).rejects.toMatchObject({
      code: "MISSING_REFERENCE",
    });
    expect(fs.readdirSync(base)).toEqual(["out"]);
    // Node cannot.
    execFileSync("rm", ["-rf", join(base, "out")]);
  });

  it.each<[string, (at: string) => void]>([
    ["a file", (at) => fs.writeFileSync(at, "kept")],
    ["a directory", (at) => fs.mkdirSync(at)],
    ["a link to nowhere", (at) => fs.symlinkSync("nowhere", at)],
  ])("does not touch %s at the destination", async (_, make) => {
    const services = memory();
    const base = scratch();
    const at = join(base, "out");
    make(at);
    const before = fs.lstatSync(at).ino;
    for (const root of [await directory(services, {}), await file(services, "new")]) {
      await expect(exportTree(services, root, at)).rejects.toMatchObject({
        name: "ExportError",
        reason: "exists",
        message: `Cannot export to "${at}": there is something already`,
      });
    }
    expect(fs.readdirSync(base)).toEqual(["out"]);
    expect(fs.lstatSync(at).ino).toBe(before);
  });

  it.each([
    ["in no directory", "missing/out", "not-found"],
    ["in a file", "file/out", "not-found"],
    ["the root", "/", "exists"],
    ["empty", "", "not-found"],
    ["with a NUL byte", "a\0b", "not-found"],
  ])("refuses a destination %s", async (_, name, reason) => {
    const services = memory();
    const base = scratch();
    fs.writeFileSync(join(base, "file"), "");
    const at = name === "" || name === "/" ? name : `${base}/${name}`;
    const root = await file(services, "x");
    await expect(exportTree(services, root, at)).rejects.toMatchObject({ reason });
    expect(fs.readdirSync(base)).toEqual(["file"]);
  });

  it("leaves nothing of a tree that is not whole, or not what it says", async () => {
    const services = memory();
    const base = scratch();
    const [small = NOWHERE, large = NOWHERE] = await services.blobs.putMany([
      toUtf8("abc"),
      seededBytes(4, MIB),
    ]);
    const broken: readonly [Node, string][] = [
      [fileNode(NOWHERE, 3n), "MISSING_REFERENCE"],
      [fileNode(NOWHERE, BigInt(MIB)), "MISSING_REFERENCE"],
      [fileNode(small, 2n), "CORRUPT"],
      [fileNode(small, 4n), "CORRUPT"],
      [fileNode(large, BigInt(MIB) + 1n), "CORRUPT"],
      [directoryNode(NOWHERE, 0n), "MISSING_REFERENCE"],
    ];
    for (const [node, code] of broken) {
      const all = [node];
      if (node.type === "file") {
        all.push(await directory(services, { a: await file(services, "a"), b: node }));
      }
      for (const root of all) {
        await expect(exportTree(services, root, join(base, "out"))).rejects.toMatchObject({ code });
      }
    }
    expect(fs.readdirSync(base)).toEqual([]);
  });

  it("leaves nothing when it is ended", async () => {
    const services = memory();
    const base = scratch();
    const entries: Record<string, Node> = {};
    for (let i = 0; i < 1000; i++) entries[`file-${i}`] = await file(services, `content ${i}`);
    const root = await directory(services, entries);
    const controller = new AbortController();
    const reason = new Error("enough");
    const onProgress = () => controller.abort(reason);
    const { signal } = controller;
    await expect(
      exportTree(services, root, join(base, "out"), { signal, onProgress }),
    ).rejects.toBe(reason);
    expect(fs.readdirSync(base)).toEqual([]);
  });

  it("writes nowhere else when somebody puts a link in the place of what it makes", async () => {
    const services = memory();
    const [base, elsewhere] = [join(scratch(), "shared"), join(scratch(), "elsewhere")];
    for (const place of [base, elsewhere]) fs.mkdirSync(place);
    const root = await directory(services, {
      a: await file(services, "a"),
      sub: await directory(services, { b: await file(services, seededBytes(5, MIB)) }),
    });
    const { openRead } = services.blobs;
    let attacks = 0;
    services.blobs.openRead = async (...args) => {
      // Whoever may write the directory around it.
      const [name = ""] = fs.readdirSync(base).filter((entry) => entry.startsWith(".out."));
      if (attacks++ === 0) {
        fs.renameSync(join(base, name), join(base, "moved"));
        fs.symlinkSync(elsewhere, join(base, name));
      }
      return await openRead.apply(services.blobs, args);
    };
    await exportTree(services, root, join(base, "out")).catch((error: unknown) => {
      expect(error).toMatchObject({ name: "ExportError" });
    });
    expect(attacks).toBeGreaterThan(0);
    expect(fs.readdirSync(elsewhere)).toEqual([]);
    expect(fs.readdirSync(join(base, "moved"))).toEqual([]);
  });
});
