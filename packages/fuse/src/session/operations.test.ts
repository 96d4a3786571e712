import { describe, expect, it } from "vitest";
import { ERRNO } from "../errno.js";
import { INIT_FLAG } from "../protocol/flags.js";
import { MAX_READ_SIZE } from "../protocol/limits.js";
import { OPCODE } from "../protocol/opcodes.js";
import { cString, layout, readBody, u32, u64 } from "../testing/message.js";
import { openSession, startSession } from "../testing/open-session.js";
import { TinyFileSystem, tinyWith } from "../testing/tiny-file-system.js";

const encoder = new TextEncoder();
const NOTHING = new Uint8Array();

describe("what changes something", () => {
  it.each([
    "SETATTR",
    "SYMLINK",
    "MKNOD",
    "MKDIR",
    "UNLINK",
    "RMDIR",
    "RENAME",
    "RENAME2",
    "LINK",
    "WRITE",
    "SETXATTR",
    "REMOVEXATTR",
    "CREATE",
    "TMPFILE",
    "FALLOCATE",
    "COPY_FILE_RANGE",
    "COPY_FILE_RANGE_64",
  ] as const)("%s is answered with EROFS", async (name) => {
    const { kernel } = await openSession(new TinyFileSystem());
    const reply = await kernel.call(OPCODE[name], cString("whatever"), { nodeId: 2 });
    expect(reply).toMatchObject({ errno: ERRNO.EROFS, length: 16 });
  });

  it.each([1, 2, 3, 0o1000])("OPEN with flags %i is answered with EROFS", async (flags) => {
    const { kernel } = await openSession(new TinyFileSystem());
    const body = layout(u32(flags), u32(0));
    expect((await kernel.call(OPCODE.OPEN, body, { nodeId: 2 })).errno).toBe(ERRNO.EROFS);
  });

  it("ACCESS for writing is answered with EROFS, whatever the file system says", async () => {
    const { kernel } = await openSession(tinyWith({ access: () => undefined }));
    const body = layout(u32(6), u32(0));
    expect((await kernel.call(OPCODE.ACCESS, body)).errno).toBe(ERRNO.EROFS);
  });
});

describe("what is not offered", () => {
  it.each([
    "FLUSH",
    "FSYNC",
    "FSYNCDIR",
    "SYNCFS",
    "GETLK",
    "SETLK",
    "SETLKW",
    "BMAP",
    "POLL",
    "SETUPMAPPING",
    "REMOVEMAPPING",
    "STATX",
  ] as const)("%s is answered with ENOSYS", async (name) => {
    const { kernel } = await openSession(new TinyFileSystem());
    expect((await kernel.call(OPCODE[name], new Uint8Array(48))).errno).toBe(ERRNO.ENOSYS);
  });

  it.each([0, 7, 19, 54, 4096, 436207616, 0xffff_ffff])(
    "opcode %i, which does not exist, is answered with ENOSYS",
    async (opcode) => {
      const { kernel } = await openSession(new TinyFileSystem());
      expect((await kernel.call(opcode)).errno).toBe(ERRNO.ENOSYS);
    },
  );

  it("IOCTL is answered with ENOTTY", async () => {
    const { kernel } = await openSession(new TinyFileSystem());
    expect((await kernel.call(OPCODE.IOCTL, new Uint8Array(32))).errno).toBe(ERRNO.ENOTTY);
  });

  it("NOTIFY_REPLY, to what was never asked, is passed over", async () => {
    const { kernel } = await openSession(new TinyFileSystem());
    await kernel.tell(OPCODE.NOTIFY_REPLY, new Uint8Array(40));
  });

  it.each([
    ["ACCESS", layout(u32(4), u32(0))],
    ["GETXATTR", layout(u32(0), u32(0), cString("user.a"))],
    ["LISTXATTR", layout(u32(0), u32(0))],
    ["LSEEK", layout(u64(0), u64(0), u32(3), u32(0))],
  ] as const)("%s is answered with ENOSYS by file systems without it", async (name, body) => {
    const { kernel } = await openSession(new TinyFileSystem());
    expect((await kernel.call(OPCODE[name], body)).errno).toBe(ERRNO.ENOSYS);
  });
});

describe("every operation", () => {
  const requests = [
    ["lookup", "LOOKUP", cString("a")],
    ["getattr", "GETATTR", new Uint8Array(16)],
    ["readlink", "READLINK", NOTHING],
    ["statfs", "STATFS", NOTHING],
    ["access", "ACCESS", layout(u32(1), u32(0))],
    ["open", "OPEN", new Uint8Array(8)],
    ["read", "READ", readBody(10)],
    ["lseek", "LSEEK", layout(u64(0), u64(0), u32(4), u32(0))],
    ["release", "RELEASE", layout(u64(1), new Uint8Array(16))],
    ["opendir", "OPENDIR", new Uint8Array(8)],
    ["readdir", "READDIR", readBody(4096)],
    ["readdir", "READDIRPLUS", readBody(4096)],
    ["releasedir", "RELEASEDIR", layout(u64(1), new Uint8Array(16))],
    ["getxattr", "GETXATTR", layout(u32(0), u32(0), cString("user.a"))],
    ["listxattr", "LISTXATTR", layout(u32(0), u32(0))],
  ] as const;

  it.each(requests)(
    "that throws is answered with EIO and reported: %s, %s",
    async (method, name, body) => {
      const failure = new Error("broken");
      const reports: unknown[] = [];
      const fileSystem = tinyWith({
        [method]: () => {
          throw failure;
        },
      });
      const { kernel } = await openSession(fileSystem, {
        onError: (error, request) => reports.push([error, request]),
      });
      const reply = await kernel.call(OPCODE[name], body, { nodeId: 3 });
      expect(reply).toMatchObject({ errno: ERRNO.EIO, length: 16 });
      expect(reports).toEqual([[failure, { operation: name, nodeId: 3, unreported: 0 }]]);
    },
  );

  const awaited = requests.filter(([method]) => !method.startsWith("release"));

  it.each(awaited)(
    "that rejects is answered with EIO and reported: %s, %s",
    async (method, name, body) => {
      const failure = new Error("broken");
      const reports: unknown[] = [];
      const fileSystem = tinyWith({ [method]: () => Promise.reject(failure) });
      const { kernel } = await openSession(fileSystem, {
        onError: (error, request) => reports.push([error, request]),
      });
      const reply = await kernel.call(OPCODE[name], body, { nodeId: 3 });
      expect(reply).toMatchObject({ errno: ERRNO.EIO, length: 16 });
      expect(reports).toEqual([[failure, { operation: name, nodeId: 3, unreported: 0 }]]);
    },
  );

  it.each(awaited)(
    "answers with the errno that it is told, now or later: %s, %s",
    async (method, name, body) => {
      for (const result of [ERRNO.EACCES, Promise.resolve(ERRNO.EACCES)]) {
        const { kernel } = await openSession(tinyWith({ [method]: () => result }));
        const reply = await kernel.call(OPCODE[name], body);
        expect(reply).toMatchObject({ errno: ERRNO.EACCES, length: 16 });
      }
    },
  );

  it.each(awaited)("knows who asks and for which node: %s, %s", async (method, name, body) => {
    const seen: unknown[] = [];
    const fileSystem = tinyWith({
      [method]: (...args: readonly unknown[]) => {
        const caller = args.at(-1) as { uid: number; gid: number; pid: number };
        seen.push([method === "statfs" ? 3 : args[0], caller.uid, caller.gid, caller.pid]);
        return ERRNO.EACCES;
      },
    });
    const { kernel } = await openSession(fileSystem);
    await kernel.call(OPCODE[name], body, { nodeId: 3, uid: 7, gid: 8, pid: 9 });
    expect(seen).toEqual([[3, 7, 8, 9]]);
  });

  it.each([0, -1, 4096, 1.5e9])("answers EIO in place of %i, which is no errno", async (errno) => {
    const { kernel } = await openSession(tinyWith({ getattr: () => errno as typeof ERRNO.EIO }));
    expect((await kernel.call(OPCODE.GETATTR, new Uint8Array(16))).errno).toBe(ERRNO.EIO);
  });

  it.each(requests)("refuses a body that is too long: %s, %s", async (_method, name, body) => {
    const { kernel } = await openSession(new TinyFileSystem());
    const longer = layout(body, new Uint8Array(1));
    expect((await kernel.call(OPCODE[name], longer)).errno).toBe(ERRNO.EINVAL);
  });
});

describe("LOOKUP", () => {
  it("asks for nothing whose answer has no room", async () => {
    const fileSystem = new TinyFileSystem();
    const { kernel } = await openSession(fileSystem);
    const reply = await kernel.call(OPCODE.LOOKUP, cString("a"), { capacity: 143 });
    expect(reply.errno).toBe(ERRNO.EINVAL);
    expect(fileSystem.lookups.size).toBe(0);
    const sent = await kernel.call(OPCODE.LOOKUP, cString("a"), { capacity: 144 });
    expect(sent).toMatchObject({ errno: 0, length: 144 });
  });

  it("gives a name that stays when the message is gone", async () => {
    let name: Uint8Array = NOTHING;
    const fileSystem = tinyWith({
      lookup: async (_parent, asked) => {
        name = asked;
        return ERRNO.ENOENT;
      },
    });
    const { kernel } = await openSession(fileSystem);
    await kernel.call(OPCODE.LOOKUP, cString("later"));
    expect(name).toEqual(encoder.encode("later"));
  });

  it("passes on that there is nothing, to be remembered", async () => {
    const nothing = { nodeId: 0, generation: 0, attributes: undefined, validSeconds: 9 };
    const { kernel } = await openSession(tinyWith({ lookup: () => nothing }));
    const reply = await kernel.call(OPCODE.LOOKUP, cString("a"));
    expect(reply.errno).toBe(0);
    expect(reply.body.subarray(0, 24)).toEqual(layout(u64(0), u64(0), u64(9)));
  });

  it("answers EIO for an entry without attributes, and reports it", async () => {
    const errors: unknown[] = [];
    const broken = { nodeId: 4, generation: 0, attributes: undefined, validSeconds: 9 };
    const { kernel } = await openSession(tinyWith({ lookup: () => broken }), {
      onError: (error) => errors.push(error),
    });
    expect((await kernel.call(OPCODE.LOOKUP, cString("a"))).errno).toBe(ERRNO.EIO);
    expect(errors).toEqual([expect.any(TypeError)]);
  });
});

describe("READLINK", () => {
  const fileSystem = tinyWith({ readlink: () => encoder.encode("../target") });

  it("answers the target, without a NUL", async () => {
    const { kernel } = await openSession(fileSystem);
    expect((await kernel.call(OPCODE.READLINK)).body).toEqual(encoder.encode("../target"));
  });

  it("answers ENAMETOOLONG where it has no room", async () => {
    const { kernel } = await openSession(fileSystem);
    const call = (capacity: number) => kernel.call(OPCODE.READLINK, NOTHING, { capacity });
    expect((await call(16 + 8)).errno).toBe(ERRNO.ENAMETOOLONG);
    expect((await call(16 + 9)).errno).toBe(0);
  });
});

describe("STATFS", () => {
  it("answers 80 bytes", async () => {
    const { kernel } = await openSession(new TinyFileSystem());
    expect((await kernel.call(OPCODE.STATFS)).body.byteLength).toBe(80);
  });
});

describe("ACCESS", () => {
  it("passes on the mask", async () => {
    const masks: number[] = [];
    const fileSystem = tinyWith({
      access: (_nodeId, mask) => {
        masks.push(mask);
        return undefined;
      },
    });
    const { kernel } = await openSession(fileSystem);
    const reply = await kernel.call(OPCODE.ACCESS, layout(u32(5), u32(0)));
    expect(reply).toMatchObject({ errno: 0, length: 16 });
    expect(masks).toEqual([5]);
  });
});

describe("OPEN", () => {
  const body = new Uint8Array(8);

  it("answers the handle", async () => {
    const { kernel } = await openSession(new TinyFileSystem());
    const reply = await kernel.call(OPCODE.OPEN, body, { nodeId: 2 });
    expect(reply.body).toEqual(layout(u64(102), u32(0x22), u32(0)));
  });

  it("passes on ENOSYS to kernels that can do without", async () => {
    const { kernel } = await openSession(tinyWith({ open: () => ERRNO.ENOSYS }));
    expect((await kernel.call(OPCODE.OPEN, body)).errno).toBe(ERRNO.ENOSYS);
  });

  it("answers handle 0 instead to kernels that cannot", async () => {
    const { kernel } = startSession(tinyWith({ open: async () => ERRNO.ENOSYS }));
    await kernel.init({ flags: ~INIT_FLAG.NO_OPEN_SUPPORT >>> 0 });
    const reply = await kernel.call(OPCODE.OPEN, body);
    expect(reply.errno).toBe(0);
    expect(reply.body).toEqual(layout(u64(0), u32(0x22), u32(0)));
  });
});

describe("OPENDIR", () => {
  it("answers what may be cached", async () => {
    const { kernel } = await openSession(new TinyFileSystem());
    const reply = await kernel.call(OPCODE.OPENDIR, new Uint8Array(8));
    expect(reply.body).toEqual(layout(u64(0), u32(0x2a), u32(0)));
  });

  it("passes on ENOSYS to kernels that can do without", async () => {
    const { kernel } = await openSession(tinyWith({ opendir: () => ERRNO.ENOSYS }));
    expect((await kernel.call(OPCODE.OPENDIR, new Uint8Array(8))).errno).toBe(ERRNO.ENOSYS);
  });

  it("answers handle 0 instead to kernels that cannot", async () => {
    const { kernel } = startSession(tinyWith({ opendir: async () => ERRNO.ENOSYS }));
    await kernel.init({ flags: ~INIT_FLAG.NO_OPENDIR_SUPPORT >>> 0 });
    const reply = await kernel.call(OPCODE.OPENDIR, new Uint8Array(8));
    expect(reply.errno).toBe(0);
    expect(reply.body).toEqual(layout(u64(0), u32(0x2a), u32(0)));
  });
});

describe.each(["release", "releasedir"] as const)("%s", (method) => {
  const opcode = method === "release" ? OPCODE.RELEASE : OPCODE.RELEASEDIR;
  const body = (handle: number) => layout(u64(handle), new Uint8Array(16));

  it("lets go of handles, but not of 0", async () => {
    const released: number[] = [];
    const fileSystem = tinyWith({
      [method]: (_node: number, handle: number) => released.push(handle),
    });
    const { kernel } = await openSession(fileSystem);
    for (const handle of [5, 0, 6]) {
      expect(await kernel.call(opcode, body(handle))).toMatchObject({ errno: 0, length: 16 });
    }
    expect(released).toEqual([5, 6]);
  });
});

describe("READ", () => {
  it("answers the pieces one after the other", async () => {
    const pieces = [encoder.encode("ab"), NOTHING, encoder.encode("cde")];
    const { kernel } = await openSession(tinyWith({ read: () => pieces }));
    const reply = await kernel.call(OPCODE.READ, readBody(5));
    expect(reply).toMatchObject({ errno: 0, length: 21, body: encoder.encode("abcde") });
  });

  it("passes on handle, offset and size", async () => {
    const asked: number[] = [];
    const fileSystem = tinyWith({
      read: (_node, handle, offset, size) => {
        asked.push(handle, offset, size);
        return [];
      },
    });
    const { kernel } = await openSession(fileSystem);
    const body = readBody(4096, Number.MAX_SAFE_INTEGER, 77);
    expect((await kernel.call(OPCODE.READ, body)).length).toBe(16);
    expect(asked).toEqual([77, Number.MAX_SAFE_INTEGER, 4096]);
  });

  it("answers EIO where there is more than was asked for, and reports it", async () => {
    const errors: unknown[] = [];
    const fileSystem = tinyWith({ read: () => [new Uint8Array(3), new Uint8Array(3)] });
    const { kernel } = await openSession(fileSystem, { onError: (error) => errors.push(error) });
    expect((await kernel.call(OPCODE.READ, readBody(5))).errno).toBe(ERRNO.EIO);
    expect(errors).toEqual([expect.any(RangeError)]);
  });

  it("refuses more than there can be, before the file system makes room for it", async () => {
    const sizes: number[] = [];
    const fileSystem = tinyWith({
      read: (_node, _handle, _offset, size) => {
        sizes.push(size);
        return [];
      },
    });
    const { kernel } = await openSession(fileSystem);
    for (const size of [MAX_READ_SIZE + 1, 0xffff_ffff]) {
      expect((await kernel.call(OPCODE.READ, readBody(size))).errno).toBe(ERRNO.EINVAL);
    }
    const capacity = 16 + 4095;
    expect((await kernel.call(OPCODE.READ, readBody(4096), { capacity })).errno).toBe(ERRNO.EINVAL);
    expect(sizes).toEqual([]);
    expect((await kernel.call(OPCODE.READ, readBody(4095), { capacity })).errno).toBe(0);
    expect((await kernel.call(OPCODE.READ, readBody(MAX_READ_SIZE))).errno).toBe(0);
    expect(sizes).toEqual([4095, MAX_READ_SIZE]);
  });
});

describe("LSEEK", () => {
  it("answers where the file system found it", async () => {
    const asked: unknown[] = [];
    const fileSystem = tinyWith({
      lseek: (_node, handle, offset, to) => {
        asked.push(handle, offset, to);
        return { offset: 8192 };
      },
    });
    const { kernel } = await openSession(fileSystem);
    const reply = await kernel.call(OPCODE.LSEEK, layout(u64(4), u64(5), u32(4), u32(0)));
    expect(reply.body).toEqual(u64(8192));
    expect(asked).toEqual([4, 5, "hole"]);
  });
});

describe("GETXATTR", () => {
  const value = encoder.encode("b3:value");
  const fileSystem = tinyWith({
    getxattr: (_node, name) =>
      new TextDecoder().decode(name) === "user.a" ? value : ERRNO.ENODATA,
  });
  const call = async (size: number, capacity?: number) => {
    const { kernel } = await openSession(fileSystem);
    const body = layout(u32(size), u32(0), cString("user.a"));
    return kernel.call(OPCODE.GETXATTR, body, capacity === undefined ? {} : { capacity });
  };

  it("answers how long the value is where no bytes are asked for", async () => {
    expect((await call(0)).body).toEqual(layout(u32(8), u32(0)));
  });

  it("answers the value", async () => {
    expect((await call(8)).body).toEqual(value);
    expect((await call(65536)).body).toEqual(value);
  });

  it("answers ERANGE where the value is longer than was asked for, or than fits", async () => {
    expect((await call(7)).errno).toBe(ERRNO.ERANGE);
    expect((await call(8, 16 + 8)).errno).toBe(0);
    expect((await call(8, 16 + 7)).errno).toBe(ERRNO.EINVAL);
  });

  it("passes on that there is none", async () => {
    const { kernel } = await openSession(fileSystem);
    const body = layout(u32(0), u32(0), cString("user.b"));
    expect((await kernel.call(OPCODE.GETXATTR, body)).errno).toBe(ERRNO.ENODATA);
  });
});

describe("LISTXATTR", () => {
  const fileSystem = tinyWith({
    listxattr: () => [encoder.encode("user.a"), encoder.encode("user.bc")],
  });
  const call = async (size: number) => {
    const { kernel } = await openSession(fileSystem);
    return kernel.call(OPCODE.LISTXATTR, layout(u32(size), u32(0)));
  };

  it("answers all names, each with a NUL, or how many bytes they have", async () => {
    expect((await call(0)).body).toEqual(layout(u32(15), u32(0)));
    expect((await call(15)).body).toEqual(layout(cString("user.a"), cString("user.bc")));
    expect((await call(14)).errno).toBe(ERRNO.ERANGE);
  });
});
