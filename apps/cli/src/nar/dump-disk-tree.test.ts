import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Output } from "../io/output.js";
import { dumpDiskTree } from "./dump-disk-tree.js";

let directory = "";

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "tvix-dump-"));
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

async function dump(name: string, signal = new AbortController().signal): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const stdout = new Output({
    async write(bytes) {
      chunks.push(Uint8Array.from(bytes));
    },
  });
  await dumpDiskTree(new TextEncoder().encode(join(directory, name)), { stdout, signal });
  await stdout.flush();
  return Buffer.concat(chunks);
}

/** A NAR string: length, bytes, zeros. */
function string(text: string): string {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return length.toString("latin1") + text + "\0".repeat((8 - (text.length % 8)) % 8);
}

function nar(...texts: string[]): string {
  return ["nix-archive-1", ...texts].map(string).join("");
}

describe("dumpDiskTree()", () => {
  it("writes a file", async () => {
    await writeFile(join(directory, "f"), "hello");
    const expected = nar("(", "type", "regular", "contents", "hello", ")");
    expect(Buffer.from(await dump("f")).toString("latin1")).toBe(expected);
  });

  it("writes a tree in byte order", async () => {
    await mkdir(join(directory, "t", "a"), { recursive: true });
    await writeFile(join(directory, "t", "a-b"), "", { mode: 0o755 });
    await symlink("../x", join(directory, "t", "Z"));
    const expected = nar(
      ...["(", "type", "directory"],
      ...["entry", "(", "name", "Z", "node", "(", "type", "symlink", "target", "../x", ")", ")"],
      ...["entry", "(", "name", "a", "node", "(", "type", "directory", ")", ")"],
      ...[
        "entry",
        "(",
        "name",
        "a-b",
        "node",
        "(",
        "type",
        "regular",
        "executable",
        "",
        "contents",
        "",
        ")",
        ")",
      ],
      ")",
    );
    expect(Buffer.from(await dump("t")).toString("latin1")).toBe(expected);
  });

  it("writes a file of many pieces", async () => {
    const content = Buffer.alloc(1_000_003, "0123456789abcdef");
    await writeFile(join(directory, "big"), content);
    const expected = createHash("sha256")
      .update(nar("(", "type", "regular", "contents"), "latin1")
      .update(Buffer.from(BigUint64Array.of(BigInt(content.length)).buffer))
      .update(content)
      .update(Buffer.alloc(5))
      .update(string(")"), "latin1")
      .digest("hex");
    expect(
      createHash("sha256")
        .update(await dump("big"))
        .digest("hex"),
    ).toBe(expected);
  });

  it("takes the owner's right to execute only", async () => {
    await writeFile(join(directory, "f"), "");
    await chmod(join(directory, "f"), 0o411);
    expect(Buffer.from(await dump("f")).toString("latin1")).not.toContain("executable");
  });

  it.each([["a named pipe", "mkfifo"]])("refuses %s", async (what, program) => {
    await mkdir(join(directory, "t"));
    spawnSync(program, [join(directory, "t", "special")]);
    await expect(dump("t")).rejects.toThrow(new RegExp(`t/special": it is ${what}`));
  });

  it("does not find what is not there", async () => {
    await expect(dump("nosuch")).rejects.toMatchObject({ exitCode: 3 });
  });

  it("ends with the signal's reason", async () => {
    await writeFile(join(directory, "f"), "x");
    const reason = new Error("enough");
    await expect(dump("f", AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});
