import {
  Directory,
  type DirectoryEntry,
  fileNode,
  MemoryBlobService,
  MemoryDirectoryService,
  PathComponent,
  type RootNodes,
  toLatin1,
  toUtf8,
} from "@tvix/castore";
import {
  directoryOf,
  Faults,
  FaultyBlobService,
  faultyDirectories,
  nodeOf,
} from "@tvix/castore/testing";
import { beforeEach, describe, expect, it } from "vitest";
import { ERRNO } from "../errno.js";
import { ROOT_NODE_ID } from "../file-system.js";
import { OPCODE } from "../protocol/opcodes.js";
import type { FakeKernel } from "../testing/fake-kernel.js";
import { Held } from "../testing/held.js";
import { cString, readBody, u64 } from "../testing/message.js";
import { openSession } from "../testing/open-session.js";
import { listed } from "../testing/tiny-file-system.js";
import { CastoreFileSystem } from "./castore-file-system.js";
import type { CastoreRoot } from "./root.js";

const MAX_IN_FLIGHT = 4;

let blobs: MemoryBlobService;
let directories: MemoryDirectoryService;
let faults: Faults;

beforeEach(() => {
  blobs = new MemoryBlobService();
  directories = new MemoryDirectoryService();
  faults = new Faults();
});

function session(root: CastoreRoot) {
  const services = {
    root,
    blobs: new FaultyBlobService(blobs, faults),
    directories: faultyDirectories(directories, faults),
  };
  return openSession(new CastoreFileSystem(services, { listRoot: true }), {
    maxInFlight: MAX_IN_FLIGHT,
    interruptGraceMs: 0,
  });
}

/** A directory with files of these contents. */
async function directoryWith(contents: Readonly<Record<string, string>>): Promise<Directory> {
  const entries: DirectoryEntry[] = [];
  for (const [name, text] of Object.entries(contents)) {
    const bytes = toUtf8(text);
    const node = fileNode(await blobs.put([bytes]), BigInt(bytes.byteLength));
    entries.push({ name: PathComponent.parse(name), node });
  }
  return Directory.fromEntries(entries);
}

/** Looks up a name. @returns its node id */
async function lookup(kernel: FakeKernel, parent: number, name: string): Promise<number> {
  const { errno, body } = await kernel.call(OPCODE.LOOKUP, cString(name), { nodeId: parent });
  expect(errno).toBe(0);
  return Number(new DataView(body.buffer, body.byteOffset).getBigUint64(0, true));
}

async function contentOf(kernel: FakeKernel, nodeId: number, offset = 0, size = 4096) {
  return toLatin1((await kernel.call(OPCODE.READ, readBody(size, offset), { nodeId })).body);
}

describe("a castore whose services hang", () => {
  it("goes on giving what is in memory, however many requests hang", async () => {
    const slow = await directoryWith({ hung: "late" });
    const fast = await directoryWith({ file: "cached" });
    await directories.put(fast);
    const slowDigest = await directories.put(slow);
    const root = directoryOf({ fast: nodeOf(fast), slow: nodeOf(slow) });
    const { kernel, session: served } = await session(await directories.put(root));
    const directory = await lookup(kernel, ROOT_NODE_ID, "fast");
    const file = await lookup(kernel, directory, "file");
    // Only what was not read to its end stays in memory: the kernel has the rest.
    expect(await contentOf(kernel, file, 0, 3)).toBe("cac");

    faults.set(slowDigest, "hanging");
    const hung = Array.from({ length: 2 * MAX_IN_FLIGHT }, () =>
      kernel.call(OPCODE.LOOKUP, cString("slow")),
    );
    expect(await lookup(kernel, directory, "file")).toBe(file);
    expect(await contentOf(kernel, file, 3)).toBe("hed");
    const attributes = await kernel.call(OPCODE.GETATTR, new Uint8Array(16), { nodeId: file });
    expect(attributes.errno).toBe(0);
    const list = await kernel.call(OPCODE.READDIR, readBody(4096), { nodeId: directory });
    expect(listed(list.body, false).map(({ name }) => name)).toEqual([".", "..", "file"]);

    await served.close();
    for (const { errno } of await Promise.all(hung)) expect(errno).toBe(ERRNO.EINTR);
  });

  it("lets a listing of the root be interrupted, and another one go on", async () => {
    const next = new Held<IteratorResult<DirectoryEntry>>();
    const roots: RootNodes = {
      get: async () => undefined,
      list: () => ({ [Symbol.asyncIterator]: () => ({ next: () => next.promise }) }),
    };
    const { kernel } = await session(roots);
    const opened = await kernel.call(OPCODE.OPENDIR, new Uint8Array(8));
    const handle = Number(
      new DataView(opened.body.buffer, opened.body.byteOffset).getUint32(0, true),
    );
    // The dots are at hand, and come in an answer of their own.
    const body = readBody(4096, 2, handle);
    const [first, second] = [40, 42].map((unique) =>
      kernel.call(OPCODE.READDIR, body, { nodeId: ROOT_NODE_ID, unique }),
    );
    await kernel.tell(OPCODE.INTERRUPT, u64(40), { nodeId: 0 });
    expect((await first)?.errno).toBe(ERRNO.EINTR);
    next.resolve({ done: true, value: undefined });
    expect(await second).toMatchObject({ errno: 0, body: new Uint8Array() });
  });

  it("fetches what it fetched ahead in vain anew, when nobody waits for that any more", async () => {
    const root = await directoryWith({ a: "first", b: "second", c: "third" });
    const [, , third] = root.entries;
    const digest = third?.node.type === "file" ? third.node.digest : expect.unreachable();
    const { kernel } = await session(await directories.put(root));
    const [a = 0, b = 0, c = 0] = await Promise.all(
      ["a", "b", "c"].map((name) => lookup(kernel, ROOT_NODE_ID, name)),
    );
    faults.set(digest, "hanging");
    expect(await contentOf(kernel, a)).toBe("first");
    expect(await contentOf(kernel, b)).toBe("second");
    expect(faults.countOf(digest)).toBe(1);
    const read = kernel.call(OPCODE.READ, readBody(4096), { nodeId: c, unique: 40 });
    await kernel.tell(OPCODE.INTERRUPT, u64(40), { nodeId: 0 });
    expect((await read).errno).toBe(ERRNO.EINTR);
    faults.clear();
    expect(await contentOf(kernel, c)).toBe("third");
  });
});
