import { describe, expect, it } from "vitest";
import { ERRNO } from "../errno.js";
import { FuseError } from "../errors.js";
import { NEWEST_MINOR_VERSION } from "../protocol/init.js";
import { OPCODE } from "../protocol/opcodes.js";
import { cString, layout, parseReply, requestMessage, u32, u64 } from "../testing/message.js";
import { openSession, startSession } from "../testing/open-session.js";
import { TinyFileSystem } from "../testing/tiny-file-system.js";

const GETATTR_BODY = new Uint8Array(16);

describe("Session: INIT", () => {
  it("agrees on the smaller minor version and says when", async () => {
    const { kernel, session } = startSession(new TinyFileSystem());
    const reply = await kernel.init({ minor: 38, flags: 1 });
    expect(reply.errno).toBe(0);
    expect(reply.body.subarray(0, 16)).toEqual(layout(u32(7), u32(38), u32(8 << 20), u32(1)));
    expect(await session.ready).toEqual({ minor: 38, flags: 1 });
  });

  it("takes the 16 bytes of protocol 7.31", async () => {
    const { kernel } = startSession(new TinyFileSystem());
    const body = layout(u32(7), u32(31), u32(0), u32(0));
    const reply = await kernel.call(OPCODE.INIT, body, { nodeId: 0 });
    expect(reply.errno).toBe(0);
    expect(reply.body.subarray(4, 8)).toEqual(u32(31));
  });

  it("tells a kernel with a larger major version its own and waits for the next INIT", async () => {
    const { kernel } = startSession(new TinyFileSystem());
    const reply = await kernel.init({ major: 8, minor: 0 });
    expect(reply.errno).toBe(0);
    expect(reply.body.subarray(0, 8)).toEqual(layout(u32(7), u32(NEWEST_MINOR_VERSION)));
    expect((await kernel.call(OPCODE.GETATTR, GETATTR_BODY)).errno).toBe(ERRNO.EIO);
    expect((await kernel.init()).errno).toBe(0);
    expect((await kernel.call(OPCODE.GETATTR, GETATTR_BODY)).errno).toBe(0);
  });

  it.each([
    [7, 30],
    [7, 0],
    [6, 99],
    [0, 0],
  ])("refuses %i.%i with EPROTO and says what is needed", async (major, minor) => {
    const errors: unknown[] = [];
    const { kernel, session } = startSession(new TinyFileSystem(), {
      onError: (error) => errors.push(error),
    });
    expect((await kernel.init({ major, minor })).errno).toBe(ERRNO.EPROTO);
    const refusal = await session.ready.catch((error: unknown) => error);
    expect(FuseError.is(refusal, "UNSUPPORTED")).toBe(true);
    expect(String(refusal)).toBe(
      `FuseError: Cannot serve the kernel: it speaks FUSE ${major}.${minor}, and 7.31 (Linux 5.4) or newer is needed`,
    );
    expect(errors).toEqual([refusal]);
    expect((await kernel.call(OPCODE.GETATTR, GETATTR_BODY)).errno).toBe(ERRNO.EIO);
  });

  it("takes a newer kernel after one that was refused", async () => {
    const { kernel } = startSession(new TinyFileSystem());
    await kernel.init({ minor: 12 });
    expect((await kernel.init()).errno).toBe(0);
    expect((await kernel.call(OPCODE.GETATTR, GETATTR_BODY)).errno).toBe(0);
  });

  it("is refused where the answer has no room", async () => {
    const { kernel } = startSession(new TinyFileSystem());
    const body = layout(u32(7), u32(40), u32(0), u32(0));
    const reply = await kernel.call(OPCODE.INIT, body, { capacity: 79 });
    expect(reply.errno).toBe(ERRNO.EINVAL);
    expect((await kernel.call(OPCODE.INIT, body, { capacity: 80 })).errno).toBe(0);
  });

  it("comes first: everything else is answered with EIO before it", async () => {
    const fileSystem = new TinyFileSystem();
    const { kernel } = startSession(fileSystem);
    for (const opcode of [OPCODE.LOOKUP, OPCODE.GETATTR, OPCODE.STATFS, OPCODE.WRITE, 9999]) {
      expect((await kernel.call(opcode, cString("a"))).errno).toBe(ERRNO.EIO);
    }
    fileSystem.lookups.set(5, 3);
    await kernel.tell(OPCODE.FORGET, u64(3), { nodeId: 5 });
    expect(fileSystem.lookups.get(5)).toBe(3);
  });

  it("may come again: what was remembered for the kernel before is dropped", async () => {
    const fileSystem = new TinyFileSystem();
    const { kernel } = await openSession(fileSystem);
    await kernel.call(OPCODE.LOOKUP, cString("a"));
    expect(fileSystem.lookups.size).toBe(1);
    expect((await kernel.init({ minor: 36 })).body.subarray(4, 8)).toEqual(u32(36));
    expect(fileSystem.lookups.size).toBe(0);
    expect(fileSystem.destroyed).toBe(1);
    expect((await kernel.call(OPCODE.LOOKUP, cString("a"))).errno).toBe(0);
  });
});

describe("Session: DESTROY", () => {
  it("drops what was remembered; a new INIT is needed", async () => {
    const fileSystem = new TinyFileSystem();
    const { kernel } = await openSession(fileSystem);
    await kernel.call(OPCODE.LOOKUP, cString("a"));
    expect(await kernel.call(OPCODE.DESTROY)).toMatchObject({ errno: 0, length: 16 });
    expect(fileSystem.destroyed).toBe(1);
    expect((await kernel.call(OPCODE.GETATTR, GETATTR_BODY)).errno).toBe(ERRNO.EIO);
    expect((await kernel.init()).errno).toBe(0);
    expect((await kernel.call(OPCODE.GETATTR, GETATTR_BODY)).errno).toBe(0);
    expect(fileSystem.destroyed).toBe(1);
  });
});

describe("Session: messages", () => {
  it("repeats all 64 bits of the unique id", async () => {
    const { kernel } = await openSession(new TinyFileSystem());
    for (const unique of [1n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n]) {
      const reply = await kernel.call(OPCODE.GETATTR, GETATTR_BODY, { unique });
      expect(reply).toMatchObject({ errno: 0, unique, length: 120 });
      const refused = await kernel.call(OPCODE.GETATTR, u32(0), { unique });
      expect(refused).toMatchObject({ errno: ERRNO.EINVAL, unique, length: 16 });
    }
  });

  it.each([0, 39, 41, 55, 57, 1 << 30, 0xffff_ffff])(
    "refuses a message of 56 bytes that says it has %i",
    async (length) => {
      const { kernel } = await openSession(new TinyFileSystem());
      const reply = await kernel.call(OPCODE.GETATTR, GETATTR_BODY, { length });
      expect(reply.errno).toBe(ERRNO.EINVAL);
    },
  );

  it("reads nothing beyond the length that a message has, nor less than it has", async () => {
    const { kernel } = await openSession(new TinyFileSystem());
    const body = cString("a\0b");
    expect((await kernel.call(OPCODE.LOOKUP, body, { length: 42 })).errno).toBe(ERRNO.EINVAL);
    expect((await kernel.call(OPCODE.WRITE, body, { length: 45 })).errno).toBe(ERRNO.EINVAL);
  });

  it("passes over extensions", async () => {
    const { kernel } = await openSession(new TinyFileSystem());
    const extensions = new Uint8Array(24).fill(0x61);
    const reply = await kernel.call(OPCODE.LOOKUP, cString("a"), { extensions });
    expect(reply.errno).toBe(0);
  });

  it("refuses extensions that reach into the header", async () => {
    const { channel } = await openSession(new TinyFileSystem());
    for (const opcode of [OPCODE.STATFS, OPCODE.WRITE]) {
      const message = requestMessage({ opcode });
      message[36] = 1;
      expect(parseReply(await channel.send(message)).errno).toBe(ERRNO.EINVAL);
    }
  });

  it.each([0, 1, 16, 39])(
    "takes %i bytes, in which there is no header, without an answer",
    async (n) => {
      const { channel } = await openSession(new TinyFileSystem());
      expect(await channel.send(new Uint8Array(n))).toEqual(new Uint8Array());
    },
  );

  it("refuses node ids above 2^53-1", async () => {
    const { kernel } = await openSession(new TinyFileSystem());
    const reply = await kernel.call(OPCODE.GETATTR, GETATTR_BODY, { nodeId: 2n ** 53n });
    expect(reply.errno).toBe(ERRNO.EINVAL);
  });

  it("sends no answer that has no room", async () => {
    const { channel } = await openSession(new TinyFileSystem());
    const message = requestMessage({ opcode: OPCODE.GETATTR, body: GETATTR_BODY });
    for (const capacity of [-1, 0, 15]) {
      expect((await channel.send(message, capacity)).byteLength).toBe(0);
    }
    expect(parseReply(await channel.send(message, 16)).errno).toBe(ERRNO.EINVAL);
    expect(parseReply(await channel.send(message, 119)).errno).toBe(ERRNO.EINVAL);
    expect(parseReply(await channel.send(message, 120)).errno).toBe(0);
  });
});

describe("Session: forgetting", () => {
  it("counts what is taken back, one by one and in batches", async () => {
    const fileSystem = new TinyFileSystem();
    const { kernel } = await openSession(fileSystem);
    for (let i = 0; i < 5; i++) await kernel.call(OPCODE.LOOKUP, cString("a"));
    await kernel.call(OPCODE.LOOKUP, cString("b"));
    expect([...fileSystem.lookups]).toEqual([
      [2, 5],
      [3, 1],
    ]);
    await kernel.tell(OPCODE.FORGET, u64(2), { nodeId: 2 });
    expect(fileSystem.lookups.get(2)).toBe(3);
    const batch = layout(u32(2), u32(0), u64(2), u64(3), u64(3), u64(1));
    await kernel.tell(OPCODE.BATCH_FORGET, batch, { nodeId: 0 });
    expect(fileSystem.lookups.size).toBe(0);
  });

  it("survives a file system that throws, and reports it", async () => {
    const fileSystem = new TinyFileSystem();
    const errors: unknown[] = [];
    const { kernel } = await openSession(fileSystem, {
      onError: (error, request) => errors.push([error, request]),
    });
    const failure = new Error("no");
    fileSystem.forget = () => {
      throw failure;
    };
    await kernel.tell(OPCODE.FORGET, u64(2), { nodeId: 2 });
    const request = { operation: "FORGET", nodeId: 2, unreported: 0 };
    expect(errors).toEqual([[failure, request]]);
  });
});

describe("Session: end", () => {
  it("serve() returns when the other side is gone, with nothing remembered", async () => {
    const fileSystem = new TinyFileSystem();
    const { channel, served } = await openSession(fileSystem);
    channel.hangUp();
    await served;
    expect(channel.isClosed).toBe(true);
    expect(fileSystem.destroyed).toBe(1);
  });

  it("serve() rejects when the channel broke, with nothing remembered", async () => {
    const fileSystem = new TinyFileSystem();
    const { channel, served } = await openSession(fileSystem);
    const failure = new Error("broken");
    channel.breakDown(failure);
    await expect(served).rejects.toBe(failure);
    expect(fileSystem.destroyed).toBe(1);
  });

  it("close() ends serve(); again is a no-op", async () => {
    const fileSystem = new TinyFileSystem();
    const { session, channel, served } = await openSession(fileSystem);
    await Promise.all([session.close(), session.close()]);
    await served;
    await session.close();
    expect(channel.isClosed).toBe(true);
    expect(fileSystem.destroyed).toBe(1);
  });

  it("close() before serve() is enough", async () => {
    const { session, served } = startSession(new TinyFileSystem());
    await session.close();
    await served;
    expect(await session.ready).toBeUndefined();
  });

  it("requests that come after close() are answered with EIO", async () => {
    const { kernel, session } = await openSession(new TinyFileSystem());
    await session.close();
    expect((await kernel.call(OPCODE.GETATTR, GETATTR_BODY)).errno).toBe(ERRNO.EIO);
    expect((await kernel.init()).errno).toBe(ERRNO.EBUSY);
  });

  it("survives a file system whose destroy() throws, and reports it", async () => {
    const fileSystem = new TinyFileSystem();
    const failure = new Error("no");
    fileSystem.destroy = () => {
      throw failure;
    };
    const errors: unknown[] = [];
    const { session } = await openSession(fileSystem, { onError: (error) => errors.push(error) });
    await session.close();
    expect(errors).toEqual([failure]);
  });
});

describe("Session: invalidation", () => {
  it("reaches the kernel", async () => {
    const { session, channel } = await openSession(new TinyFileSystem());
    const name = new TextEncoder().encode("abc");
    expect(session.invalidateInode(2)).toBe(true);
    expect(session.invalidateEntry(1, name)).toBe(true);
    expect(session.deleteEntry(1, 2, name)).toBe(true);
    expect(channel.notifications.map((bytes) => parseReply(bytes))).toEqual([
      { length: 40, errno: -2, unique: 0n, body: layout(u64(2), u64(0), u64(0)) },
      { length: 36, errno: -3, unique: 0n, body: layout(u64(1), u32(3), u32(0), cString("abc")) },
      {
        length: 44,
        errno: -6,
        unique: 0n,
        body: layout(u64(1), u64(2), u32(3), u32(0), cString("abc")),
      },
    ]);
  });

  it("says where the channel did not take it", async () => {
    const { session, channel } = await openSession(new TinyFileSystem());
    channel.takesNotifications = false;
    expect(session.invalidateInode(2)).toBe(false);
  });

  it("is not sent before the kernel has connected, and not after the end", async () => {
    const { session, channel, kernel } = startSession(new TinyFileSystem());
    expect(session.invalidateInode(2)).toBe(false);
    await kernel.init();
    await session.close();
    expect(session.invalidateInode(2)).toBe(false);
    expect(channel.notifications).toEqual([]);
  });
});
