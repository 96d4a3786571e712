import { describe, expect, it } from "vitest";
import { ERRNO } from "../errno.js";
import { hex } from "../testing/hex.js";
import { cString, layout, requestMessage, u32, u64 } from "../testing/message.js";
import type { RequestBody } from "./body.js";
import { decodeOpen, decodeRead, decodeRelease } from "./files.js";
import { decodeBatchForget, decodeForget } from "./forget.js";
import { decodeRequestHeader, uniqueKey } from "./header.js";
import { decodeLookup } from "./names.js";
import { TOO_LARGE } from "./numbers.js";
import { decodeAccess, decodeEmpty, decodeGetattr, decodeInterrupt } from "./plain-requests.js";
import { decodeSeek } from "./seek.js";
import { decodeGetXattr, decodeListXattr } from "./xattrs.js";

const MAX = Number.MAX_SAFE_INTEGER;
const PAD4 = u32(0);

/** A body in the middle of other bytes, none of which may be read. */
function body(...fields: readonly Uint8Array[]): RequestBody {
  const content = layout(...fields);
  const bytes = layout(new Uint8Array(40).fill(0xee), content, new Uint8Array(8).fill(0xee));
  return { bytes, start: 40, end: 40 + content.byteLength };
}

describe("decodeRequestHeader()", () => {
  it("reads fuse_in_header", () => {
    const bytes = hex(`
      28 00 00 00               len
      03 00 00 00               opcode
      02 00 00 00 01 00 00 80   unique
      05 00 00 00 06 00 00 00   nodeid
      e8 03 00 00               uid
      64 00 00 00               gid
      ff ff ff ff               pid
      02 01 00 00               total_extlen, padding
    `);
    expect(decodeRequestHeader(bytes)).toEqual({
      length: 40,
      opcode: 3,
      uniqueLow: 2,
      uniqueHigh: 0x80000001,
      nodeId: 0x6_0000_0005,
      uid: 1000,
      gid: 100,
      pid: 0xffff_ffff,
      extensionSize: 0x102 * 8,
    });
  });

  it("takes node ids up to 2^53-1", () => {
    expect(decodeRequestHeader(requestMessage({ opcode: 1, nodeId: MAX }))?.nodeId).toBe(MAX);
    const beyond = requestMessage({ opcode: 1, nodeId: BigInt(MAX) + 1n });
    expect(decodeRequestHeader(beyond)?.nodeId).toBe(TOO_LARGE);
  });

  it.each([0, 1, 39])("says nothing of %i bytes", (length) => {
    expect(decodeRequestHeader(new Uint8Array(length))).toBeUndefined();
  });
});

describe("uniqueKey()", () => {
  it("tells all 64-bit numbers apart", () => {
    const numbers: readonly (readonly [number, number])[] = [
      [0, 0],
      [1, 0],
      [0, 1],
      [0xffff_ffff, 0x1f_ffff],
      [0, 0x20_0000],
      [1, 0x20_0000],
      [0, 0x8000_0000],
      [0xffff_ffff, 0xffff_ffff],
    ];
    expect(new Set(numbers.map(([low, high]) => uniqueKey(low, high))).size).toBe(numbers.length);
  });
});

describe("decodeLookup()", () => {
  it.each(["a", "..a", "...", " ", "\u00ff", "x".repeat(255)])("takes the name %j", (name) => {
    const bytes = new TextEncoder().encode(name).subarray(0, 255);
    expect(decodeLookup(body(bytes, hex("00")))).toEqual(bytes);
  });

  it("takes every byte but NUL and the slash", () => {
    const bytes = Uint8Array.from({ length: 255 }, (_, i) => i + 1).filter((b) => b !== 0x2f);
    expect(decodeLookup(body(bytes, hex("00")))).toEqual(bytes);
  });

  it("gives a copy", () => {
    const request = body(cString("name"));
    const name = decodeLookup(request);
    request.bytes.fill(0);
    expect(name).toEqual(hex("6e 61 6d 65"));
  });

  it.each([
    ["nothing", hex(""), ERRNO.EINVAL],
    ["an empty name", hex("00"), ERRNO.EINVAL],
    ["a name without its NUL", hex("61 62"), ERRNO.EINVAL],
    ["a name with bytes after its NUL", hex("61 00 62"), ERRNO.EINVAL],
    ["two NULs", hex("61 00 00"), ERRNO.EINVAL],
    ["a slash", hex("61 2f 62 00"), ERRNO.EINVAL],
    ["a single dot", hex("2e 00"), ERRNO.EINVAL],
    ["two dots", hex("2e 2e 00"), ERRNO.EINVAL],
    ["256 bytes", layout(new Uint8Array(256).fill(0x61), hex("00")), ERRNO.ENAMETOOLONG],
  ])("refuses %s", (_name, bytes, errno) => {
    expect(decodeLookup(body(bytes))).toBe(errno);
  });
});

describe("decodeGetXattr()", () => {
  it("reads the size and the name", () => {
    expect(decodeGetXattr(body(u32(256), PAD4, cString("user.x/y")))).toEqual({
      name: new TextEncoder().encode("user.x/y"),
      size: 256,
    });
  });

  it.each([
    ["nothing", hex(""), ERRNO.EINVAL],
    ["half a size", hex("00 00 00 00 00 00 00"), ERRNO.EINVAL],
    ["no name", layout(u32(1), PAD4), ERRNO.EINVAL],
    ["an empty name", layout(u32(1), PAD4, hex("00")), ERRNO.EINVAL],
    ["a name without its NUL", layout(u32(1), PAD4, hex("61")), ERRNO.EINVAL],
    ["256 bytes", layout(u32(1), PAD4, cString("x".repeat(256))), ERRNO.ENAMETOOLONG],
  ])("refuses %s", (_name, bytes, errno) => {
    expect(decodeGetXattr(body(bytes))).toBe(errno);
  });
});

describe("decodeListXattr()", () => {
  it("reads the size", () => {
    expect(decodeListXattr(body(u32(65536), PAD4))).toEqual({ size: 65536 });
  });
});

describe("decodeOpen()", () => {
  it.each([
    ["O_RDONLY", 0],
    ["O_NONBLOCK, O_LARGEFILE, O_DIRECTORY, O_NOFOLLOW, O_CLOEXEC", 0o2704000 | 0o100000],
    ["O_APPEND, which says nothing of writing", 0o2000],
  ])("takes %s", (_name, flags) => {
    expect(decodeOpen(body(u32(flags), PAD4))).toBeUndefined();
  });

  it.each([
    ["O_WRONLY", 1],
    ["O_RDWR", 2],
    ["the access mode 3", 3],
    ["O_TRUNC", 0o1000],
    ["O_RDWR, O_CREAT, O_TRUNC", 0o1102],
  ])("refuses %s with EROFS", (_name, flags) => {
    expect(decodeOpen(body(u32(flags), PAD4))).toBe(ERRNO.EROFS);
  });
});

describe("decodeRead()", () => {
  const rest = layout(u32(0), u64(0), u32(0), u32(0));

  it("reads handle, offset and size", () => {
    expect(decodeRead(body(u64(MAX), u64(MAX), u32(0xffff_ffff), rest))).toEqual({
      handle: MAX,
      offset: MAX,
      size: 0xffff_ffff,
    });
  });

  it("refuses what is above 2^53-1", () => {
    expect(decodeRead(body(u64(2n ** 53n), u64(0), u32(1), rest))).toBe(ERRNO.EBADF);
    expect(decodeRead(body(u64(0), u64(2n ** 53n), u32(1), rest))).toBe(ERRNO.EOVERFLOW);
  });
});

describe("decodeRelease()", () => {
  it("reads the handle", () => {
    expect(decodeRelease(body(u64(7), u32(0), u32(0), u64(1)))).toEqual({ handle: 7 });
  });

  it("refuses what is above 2^53-1", () => {
    expect(decodeRelease(body(u64(2n ** 63n), u32(0), u32(0), u64(1)))).toBe(ERRNO.EBADF);
  });
});

describe("decodeSeek()", () => {
  it.each([
    [3, "data"],
    [4, "hole"],
  ])("reads whence %i as %s", (whence, to) => {
    const decoded = decodeSeek(body(u64(7), u64(4096), u32(whence), PAD4));
    expect(decoded).toEqual({ handle: 7, offset: 4096, to });
  });

  it.each([0, 1, 2, 5, 0xffff_ffff])("refuses whence %i", (whence) => {
    expect(decodeSeek(body(u64(7), u64(0), u32(whence), PAD4))).toBe(ERRNO.EINVAL);
  });

  it("says of an offset above 2^53-1 that it lies behind the end", () => {
    expect(decodeSeek(body(u64(7), u64(2n ** 64n - 5n), u32(3), PAD4))).toBe(ERRNO.ENXIO);
  });

  it("refuses a handle above 2^53-1", () => {
    expect(decodeSeek(body(u64(2n ** 53n), u64(0), u32(3), PAD4))).toBe(ERRNO.EBADF);
  });
});

describe("decodeAccess()", () => {
  it.each([0, 1, 4, 5])("takes mask %i", (mask) => {
    expect(decodeAccess(body(u32(mask), PAD4))).toEqual({ mask });
  });

  it.each([2, 3, 6, 7])("refuses mask %i, which asks for writing", (mask) => {
    expect(decodeAccess(body(u32(mask), PAD4))).toBe(ERRNO.EROFS);
  });
});

describe("decodeInterrupt()", () => {
  it("reads which request is meant", () => {
    expect(decodeInterrupt(body(u64(2n ** 63n + 2n)))).toBe(uniqueKey(2, 0x8000_0000));
    expect(decodeInterrupt(body(u64(6)))).toBe(6);
  });

  it.each([0, 7, 9, 16])("says nothing of %i bytes", (size) => {
    expect(decodeInterrupt(body(new Uint8Array(size)))).toBeUndefined();
  });
});

describe("requests of fixed size", () => {
  it.each([
    ["READLINK, STATFS", decodeEmpty, 0],
    ["GETATTR", decodeGetattr, 16],
    ["OPEN, OPENDIR", decodeOpen, 8],
    ["READ, READDIR, READDIRPLUS", decodeRead, 40],
    ["RELEASE, RELEASEDIR", decodeRelease, 24],
    ["ACCESS", decodeAccess, 8],
    ["LISTXATTR", decodeListXattr, 8],
  ])("have exactly that size: %s", (_name, decode, size) => {
    expect(decode(body(new Uint8Array(size)))).not.toBeTypeOf("number");
    for (const other of [0, size - 1, size + 1, size + 8]) {
      if (other < 0 || other === size) continue;
      expect(decode(body(new Uint8Array(other)))).toBe(ERRNO.EINVAL);
    }
  });

  it("have exactly that size: LSEEK", () => {
    for (const size of [0, 23, 25]) {
      expect(decodeSeek(body(new Uint8Array(size)))).toBe(ERRNO.EINVAL);
    }
  });
});

describe("decodeForget()", () => {
  it.each([
    ["one lookup", u64(1), [[5, 1]]],
    ["many", u64(MAX), [[5, MAX]]],
    ["none", u64(0), []],
    ["more than there can be", u64(2n ** 53n), []],
    ["a message that is too short", new Uint8Array(7), []],
    ["a message that is too long", new Uint8Array(9).fill(1), []],
  ])("takes back %s", (_name, bytes, expected) => {
    const forgotten: number[][] = [];
    decodeForget(body(bytes), 5, (nodeId, lookups) => forgotten.push([nodeId, lookups]));
    expect(forgotten).toEqual(expected);
  });

  it("passes over a node id above 2^53-1", () => {
    const forgotten: number[] = [];
    decodeForget(body(u64(1)), TOO_LARGE, (nodeId) => forgotten.push(nodeId));
    expect(forgotten).toEqual([]);
  });
});

describe("decodeBatchForget()", () => {
  it.each([
    ["nothing", [u32(0), PAD4], []],
    [
      "in order",
      [u32(3), PAD4, u64(9), u64(1), u64(8), u64(2), u64(9), u64(3)],
      [9, 1, 8, 2, 9, 3],
    ],
    ["what can be", [u32(3), PAD4, u64(2n ** 60n), u64(1), u64(8), u64(0), u64(7), u64(4)], [7, 4]],
    ["nothing, where the count is too large", [u32(2), PAD4, u64(9), u64(1)], []],
    ["nothing, where the count is too small", [u32(0), PAD4, u64(9), u64(1)], []],
    ["nothing, where the count is far too large", [u32(0x1000_0001), PAD4, u64(9), u64(1)], []],
    ["nothing, where half an item is missing", [u32(1), PAD4, u64(9)], []],
    ["nothing, where the count is cut", [hex("00 00 00")], []],
  ])("takes back %s", (_name, fields, expected) => {
    const forgotten: number[] = [];
    decodeBatchForget(body(...fields), (nodeId, lookups) => forgotten.push(nodeId, lookups));
    expect(forgotten).toEqual(expected);
  });
});
