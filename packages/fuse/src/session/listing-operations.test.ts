import { describe, expect, it } from "vitest";
import { ERRNO } from "../errno.js";
import { FILE_TYPE, type FileSystem } from "../file-system.js";
import { MAX_LISTING_SIZE } from "../protocol/limits.js";
import { OPCODE } from "../protocol/opcodes.js";
import { readBody } from "../testing/message.js";
import { openSession } from "../testing/open-session.js";
import { listed, TinyFileSystem, tinyWith } from "../testing/tiny-file-system.js";

const encoder = new TextEncoder();

describe("READDIR and READDIRPLUS", () => {
  const names = Array.from({ length: 300 }, (_, i) => "n".repeat(1 + (i % 200)) + i);
  const everything = [".", "..", ...names];

  it.each([
    ["READDIR", 300],
    ["READDIR", 4096],
    ["READDIRPLUS", 450],
    ["READDIRPLUS", 4096],
    ["READDIRPLUS", 4 << 20],
  ] as const)("%s in buffers of %i bytes lists everything once", async (name, size) => {
    const fileSystem = new TinyFileSystem(names);
    const { kernel } = await openSession(fileSystem);
    const seen: string[] = [];
    for (let offset = 0; ; ) {
      const reply = await kernel.call(OPCODE[name], readBody(size, offset));
      expect(reply.body.byteLength).toBeLessThanOrEqual(Math.min(size, MAX_LISTING_SIZE));
      const items = listed(reply.body, name === "READDIRPLUS");
      if (items.length === 0) break;
      seen.push(...items.map((item) => item.name));
      offset = items.at(-1)?.nextOffset ?? 0;
    }
    expect(seen).toEqual(everything);
  });

  it("counts as lookups exactly the entries that are sent", async () => {
    const fileSystem = new TinyFileSystem(names);
    const { kernel } = await openSession(fileSystem);
    const reply = await kernel.call(OPCODE.READDIRPLUS, readBody(4096));
    const nodeIds = listed(reply.body, true).flatMap((item) =>
      item.nodeId > 0 ? item.nodeId : [],
    );
    expect(nodeIds.length).toBeGreaterThan(5);
    expect([...fileSystem.lookups]).toEqual(nodeIds.map((nodeId) => [nodeId, 1]));
  });

  it("READDIR counts none", async () => {
    const fileSystem = new TinyFileSystem(names);
    const { kernel } = await openSession(fileSystem);
    await kernel.call(OPCODE.READDIR, readBody(4096));
    expect(fileSystem.lookups.size).toBe(0);
  });

  it("fills no more than the answer may have", async () => {
    const { kernel } = await openSession(new TinyFileSystem(names));
    const reply = await kernel.call(OPCODE.READDIR, readBody(4096), { capacity: 16 + 100 });
    expect(reply.body.byteLength).toBeGreaterThan(60);
    expect(reply.body.byteLength).toBeLessThanOrEqual(100);
  });

  it("fills no more than a mebibyte, however much is asked for", async () => {
    const many = Array.from({ length: 4000 }, (_, i) => "n".repeat(200) + i);
    const { kernel } = await openSession(new TinyFileSystem(many));
    const reply = await kernel.call(OPCODE.READDIRPLUS, readBody(0xffff_ffff));
    expect(reply.body.byteLength).toBeLessThanOrEqual(MAX_LISTING_SIZE);
    expect(reply.body.byteLength).toBeGreaterThan(MAX_LISTING_SIZE - 400);
  });

  it("answers EINVAL where not one item fits, which would look like the end", async () => {
    const { kernel } = await openSession(new TinyFileSystem());
    expect((await kernel.call(OPCODE.READDIR, readBody(31))).errno).toBe(ERRNO.EINVAL);
    expect((await kernel.call(OPCODE.READDIR, readBody(0))).errno).toBe(ERRNO.EINVAL);
    expect((await kernel.call(OPCODE.READDIR, readBody(32))).body.byteLength).toBe(32);
  });

  it("refuses an offset above 2^53-1", async () => {
    const { kernel } = await openSession(new TinyFileSystem());
    const reply = await kernel.call(OPCODE.READDIR, readBody(4096, 2n ** 63n));
    expect(reply.errno).toBe(ERRNO.EOVERFLOW);
  });

  const item = { name: encoder.encode("x"), ino: 9, type: FILE_TYPE.REGULAR, nextOffset: 1 };
  const failure = new Error("the backend is gone");

  it.each<[string, FileSystem["readdir"], number]>([
    [
      "says so",
      (_node, _handle, _offset, sink) => {
        sink.add(item);
        return ERRNO.EACCES;
      },
      0,
    ],
    [
      "throws",
      (_node, _handle, _offset, sink) => {
        sink.add(item);
        throw failure;
      },
      1,
    ],
    [
      "rejects",
      async (_node, _handle, _offset, sink) => {
        sink.add(item);
        throw failure;
      },
      1,
    ],
  ])("sends what was added before a listing failed: it %s", async (_name, readdir, reported) => {
    const errors: unknown[] = [];
    const { kernel } = await openSession(tinyWith({ readdir }), {
      onError: (error) => errors.push(error),
    });
    const reply = await kernel.call(OPCODE.READDIRPLUS, readBody(4096));
    expect(listed(reply.body, true).map(({ name }) => name)).toEqual(["x"]);
    expect(errors).toEqual(reported === 1 ? [failure] : []);
  });
});
