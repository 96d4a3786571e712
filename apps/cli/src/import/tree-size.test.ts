import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { treeSize } from "./tree-size.js";

const never = new AbortController().signal;
let directory = "";

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "tvix-tree-size-"));
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

function bytes(...parts: string[]): Uint8Array {
  return new TextEncoder().encode(join(directory, ...parts));
}

describe("treeSize()", () => {
  it("counts entries and bytes, and follows no link", async () => {
    await mkdir(join(directory, "a", "b"), { recursive: true });
    await writeFile(join(directory, "a", "f"), "12345");
    await writeFile(join(directory, "a", "b", "g"), "123");
    await symlink("/", join(directory, "a", "link"));
    expect(await treeSize([bytes("a")], never)).toEqual({ entries: 5, bytes: 8 });
    expect(await treeSize([bytes("a", "f"), bytes("a", "b")], never)).toEqual({
      entries: 3,
      bytes: 8,
    });
  });

  it("counts what is not there as nothing", async () => {
    expect(await treeSize([bytes("nosuch")], never)).toEqual({ entries: 1, bytes: 0 });
  });

  it("ends with the signal's reason", async () => {
    const reason = new Error("enough");
    await expect(treeSize([bytes()], AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});
