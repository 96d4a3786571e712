import { describe, expect, it } from "vitest";
import { FILE_TYPE } from "../file-system.js";
import { hex } from "../testing/hex.js";
import {
  ATTRIBUTES_REPLY_SIZE,
  ENTRY_SIZE,
  encodeAttributesReply,
  encodeEntry,
} from "./attributes.js";
import { encodeOpenReply, OPEN_REPLY_SIZE } from "./files.js";
import { encodeReplyHeader, REPLY_HEADER_SIZE } from "./header.js";
import { encodeInitReply, INIT_REPLY_SIZE } from "./init.js";
import { ListingWriter } from "./listing.js";
import { encodeDelete, encodeInvalidateEntry, encodeInvalidateInode } from "./notifications.js";
import { encodeSeekReply, SEEK_REPLY_SIZE } from "./seek.js";
import { encodeStatistics, STATISTICS_SIZE } from "./statistics.js";
import { encodeXattrNames, encodeXattrSize, XATTR_SIZE_REPLY_SIZE } from "./xattrs.js";

const ATTRIBUTES = {
  ino: 0x0102030405,
  size: 1025,
  mode: FILE_TYPE.REGULAR | 0o555,
  nlink: 1,
  uid: 1000,
  gid: 100,
  mtime: 1,
  blockSize: 4096,
};

/** fuse_attr of ATTRIBUTES, field by field. */
const ATTRIBUTES_HEX = `
  05 04 03 02 01 00 00 00   ino
  01 04 00 00 00 00 00 00   size
  03 00 00 00 00 00 00 00   blocks
  01 00 00 00 00 00 00 00   atime
  01 00 00 00 00 00 00 00   mtime
  01 00 00 00 00 00 00 00   ctime
  00 00 00 00               atimensec
  00 00 00 00               mtimensec
  00 00 00 00               ctimensec
  6d 81 00 00               mode
  01 00 00 00               nlink
  e8 03 00 00               uid
  64 00 00 00               gid
  00 00 00 00               rdev
  00 10 00 00               blksize
  00 00 00 00               flags
`;

/** What an encoder writes into memory that held something else. */
function written(size: number, encode: (view: DataView, offset: number) => void): Uint8Array {
  const bytes = new Uint8Array(size + 16).fill(0xee);
  encode(new DataView(bytes.buffer), 8);
  expect(bytes.subarray(0, 8)).toEqual(new Uint8Array(8).fill(0xee));
  expect(bytes.subarray(size + 8)).toEqual(new Uint8Array(8).fill(0xee));
  return bytes.subarray(8, size + 8);
}

describe("encodeReplyHeader()", () => {
  it("writes fuse_out_header, with the errno negated", () => {
    const bytes = new Uint8Array(REPLY_HEADER_SIZE);
    encodeReplyHeader(new DataView(bytes.buffer), 16, 2, 0x11223344, 0xaabbccdd);
    expect(bytes).toEqual(
      hex(`
        10 00 00 00               len
        fe ff ff ff               error
        44 33 22 11 dd cc bb aa   unique
      `),
    );
  });
});

describe("encodeAttributesReply()", () => {
  it("writes fuse_attr_out", () => {
    const reply = { attributes: ATTRIBUTES, validSeconds: 2.5 };
    expect(written(ATTRIBUTES_REPLY_SIZE, (v, at) => encodeAttributesReply(v, at, reply))).toEqual(
      hex(`
        02 00 00 00 00 00 00 00   attr_valid
        00 65 cd 1d               attr_valid_nsec
        00 00 00 00               dummy
        ${ATTRIBUTES_HEX}
      `),
    );
  });

  it.each([
    ["forever", Number.POSITIVE_INFINITY, "ff ff ff 7f 00 00 00 00 00 00 00 00"],
    ["longer than the longest time", 2 ** 40, "ff ff ff 7f 00 00 00 00 00 00 00 00"],
    ["less than nothing", -1, "00 00 00 00 00 00 00 00 00 00 00 00"],
    ["no time", 0, "00 00 00 00 00 00 00 00 00 00 00 00"],
    ["what is no number", Number.NaN, "00 00 00 00 00 00 00 00 00 00 00 00"],
    ["just below a second", 0.999999999999, "00 00 00 00 00 00 00 00 ff c9 9a 3b"],
  ])("bounds the time for which it holds: %s", (_name, validSeconds, expected) => {
    const reply = { attributes: ATTRIBUTES, validSeconds };
    const bytes = written(ATTRIBUTES_REPLY_SIZE, (v, at) => encodeAttributesReply(v, at, reply));
    expect(bytes.subarray(0, 12)).toEqual(hex(expected));
  });

  it.each([
    ["an empty file", 0, "00 00 00 00 00 00 00 00"],
    ["one byte", 1, "01 00 00 00 00 00 00 00"],
    ["512 bytes", 512, "01 00 00 00 00 00 00 00"],
    ["513 bytes", 513, "02 00 00 00 00 00 00 00"],
    ["2^53-1 bytes", Number.MAX_SAFE_INTEGER, "00 00 00 00 00 10 00 00"],
  ])("rounds blocks of 512 bytes up: %s", (_name, size, expected) => {
    const reply = { attributes: { ...ATTRIBUTES, size }, validSeconds: 1 };
    const bytes = written(ATTRIBUTES_REPLY_SIZE, (v, at) => encodeAttributesReply(v, at, reply));
    expect(bytes.subarray(32, 40)).toEqual(hex(expected));
  });

  it("writes times before 1970 in two's complement", () => {
    const reply = { attributes: { ...ATTRIBUTES, mtime: -2 }, validSeconds: 1 };
    const bytes = written(ATTRIBUTES_REPLY_SIZE, (v, at) => encodeAttributesReply(v, at, reply));
    expect(bytes.subarray(48, 56)).toEqual(hex("fe ff ff ff ff ff ff ff"));
  });
});

describe("encodeEntry()", () => {
  it("writes fuse_entry_out", () => {
    const entry = { nodeId: 7, generation: 3, attributes: ATTRIBUTES, validSeconds: 86400 };
    expect(written(ENTRY_SIZE, (v, at) => encodeEntry(v, at, entry))).toEqual(
      hex(`
        07 00 00 00 00 00 00 00   nodeid
        03 00 00 00 00 00 00 00   generation
        80 51 01 00 00 00 00 00   entry_valid
        80 51 01 00 00 00 00 00   attr_valid
        00 00 00 00               entry_valid_nsec
        00 00 00 00               attr_valid_nsec
        ${ATTRIBUTES_HEX}
      `),
    );
  });

  it("writes that there is nothing, and for how long that holds", () => {
    const entry = { nodeId: 0, generation: 0, attributes: undefined, validSeconds: 3 };
    expect(written(ENTRY_SIZE, (v, at) => encodeEntry(v, at, entry))).toEqual(
      hex(`
        00 00 00 00 00 00 00 00   nodeid
        00 00 00 00 00 00 00 00   generation
        03 00 00 00 00 00 00 00   entry_valid
        03 00 00 00 00 00 00 00   attr_valid
        00 00 00 00               entry_valid_nsec
        00 00 00 00               attr_valid_nsec
        ${"00 ".repeat(88)}
      `),
    );
  });

  it("refuses an entry that names something and has no attributes", () => {
    const entry = { nodeId: 2, generation: 0, attributes: undefined, validSeconds: 3 };
    const view = new DataView(new ArrayBuffer(ENTRY_SIZE));
    expect(() => encodeEntry(view, 0, entry)).toThrow(TypeError);
  });
});

describe("encodeOpenReply()", () => {
  it.each([
    [{ handle: 2 ** 53 - 1 }, "ff ff ff ff ff ff 1f 00 20 00 00 00 00 00 00 00"],
    [{ handle: 1, keepCache: true }, "01 00 00 00 00 00 00 00 22 00 00 00 00 00 00 00"],
    [{ handle: 0, cacheDirectory: true }, "00 00 00 00 00 00 00 00 28 00 00 00 00 00 00 00"],
    [{ handle: 0, keepCache: false }, "00 00 00 00 00 00 00 00 20 00 00 00 00 00 00 00"],
  ])("writes fuse_open_out of %o", (reply, expected) => {
    expect(written(OPEN_REPLY_SIZE, (v, at) => encodeOpenReply(v, at, reply))).toEqual(
      hex(expected),
    );
  });
});

describe("encodeSeekReply()", () => {
  it("writes fuse_lseek_out", () => {
    expect(written(SEEK_REPLY_SIZE, (v, at) => encodeSeekReply(v, at, 0x1_0000_0002))).toEqual(
      hex("02 00 00 00 01 00 00 00"),
    );
  });
});

describe("encodeStatistics()", () => {
  it("writes fuse_statfs_out", () => {
    const statistics = {
      blocks: 1,
      freeBlocks: 2,
      availableBlocks: 3,
      files: 4,
      freeFiles: 5,
      blockSize: 4096,
      maxNameLength: 255,
    };
    expect(written(STATISTICS_SIZE, (v, at) => encodeStatistics(v, at, statistics))).toEqual(
      hex(`
        01 00 00 00 00 00 00 00   blocks
        02 00 00 00 00 00 00 00   bfree
        03 00 00 00 00 00 00 00   bavail
        04 00 00 00 00 00 00 00   files
        05 00 00 00 00 00 00 00   ffree
        00 10 00 00               bsize
        ff 00 00 00               namelen
        00 10 00 00               frsize
        00 00 00 00               padding
        ${"00 ".repeat(24)}
      `),
    );
  });
});

describe("encodeXattrSize()", () => {
  it("writes fuse_getxattr_out", () => {
    expect(written(XATTR_SIZE_REPLY_SIZE, (v, at) => encodeXattrSize(v, at, 300))).toEqual(
      hex("2c 01 00 00 00 00 00 00"),
    );
  });
});

describe("encodeXattrNames()", () => {
  it("puts a NUL after each name", () => {
    expect(encodeXattrNames([hex("61 62"), hex("63")])).toEqual(hex("61 62 00 63 00"));
    expect(encodeXattrNames([])).toEqual(hex(""));
  });
});

describe("encodeInitReply()", () => {
  it("writes fuse_init_out", () => {
    const connection = { minor: 38, flags: 0x40400001 };
    expect(written(INIT_REPLY_SIZE, (v, at) => encodeInitReply(v, at, connection))).toEqual(
      hex(`
        07 00 00 00   major
        26 00 00 00   minor
        00 00 80 00   max_readahead
        01 00 40 40   flags
        40 00         max_background
        30 00         congestion_threshold
        00 10 00 00   max_write
        01 00 00 00   time_gran
        00 01         max_pages
        00 00         map_alignment
        00 00 00 00   flags2
        00 00 00 00   max_stack_depth
        ${"00 ".repeat(24)}
      `),
    );
  });

  it("leaves max_pages out where the kernel does not know it", () => {
    const bytes = written(INIT_REPLY_SIZE, (v, at) =>
      encodeInitReply(v, at, { minor: 31, flags: 1 }),
    );
    expect(bytes.subarray(28, 30)).toEqual(hex("00 00"));
  });
});

describe("ListingWriter", () => {
  const item = { name: hex("61 62 63"), ino: 9, type: FILE_TYPE.DIRECTORY, nextOffset: 77 };
  const dirent = `
    09 00 00 00 00 00 00 00   ino
    4d 00 00 00 00 00 00 00   off
    03 00 00 00               namelen
    04 00 00 00               type
    61 62 63 00 00 00 00 00   name, padding
  `;

  it("writes fuse_dirent", () => {
    const writer = new ListingWriter(new Uint8Array(100).fill(0xee), false);
    writer.add(item);
    writer.add({
      name: hex("64 64 64 64 64 64 64 64"),
      ino: 1,
      type: FILE_TYPE.SYMLINK,
      nextOffset: 78,
    });
    expect(writer.close()).toEqual(
      hex(`
        ${dirent}
        01 00 00 00 00 00 00 00   ino
        4e 00 00 00 00 00 00 00   off
        08 00 00 00               namelen
        0a 00 00 00               type
        64 64 64 64 64 64 64 64   name
      `),
    );
  });

  it("writes fuse_direntplus, with an empty entry where there is none", () => {
    const writer = new ListingWriter(new Uint8Array(400).fill(0xee), true);
    writer.add(item, { nodeId: 7, generation: 0, attributes: ATTRIBUTES, validSeconds: 1 });
    writer.add(item);
    expect(writer.close()).toEqual(
      hex(`
        07 00 00 00 00 00 00 00   nodeid
        00 00 00 00 00 00 00 00   generation
        01 00 00 00 00 00 00 00   entry_valid
        01 00 00 00 00 00 00 00   attr_valid
        00 00 00 00               entry_valid_nsec
        00 00 00 00               attr_valid_nsec
        ${ATTRIBUTES_HEX}
        ${dirent}
        ${"00 ".repeat(128)}
        ${dirent}
      `),
    );
  });

  it("fills exactly the room there is", () => {
    const writer = new ListingWriter(new Uint8Array(64), false);
    writer.add(item);
    expect(writer.fits(hex("61 61 61 61 61 61 61 61 61"))).toBe(false);
    expect(writer.fits(hex("61 61 61 61 61 61 61 61"))).toBe(true);
    writer.add(item);
    expect(writer.size).toBe(64);
    expect(writer.fits(hex("61"))).toBe(false);
    expect(() => writer.add(item)).toThrow(RangeError);
    expect(writer.size).toBe(64);
  });

  it("knows that not even the first item fits", () => {
    const writer = new ListingWriter(new Uint8Array(31), false);
    expect(writer.isTooSmall).toBe(false);
    expect(writer.fits(item.name)).toBe(false);
    expect(writer.isTooSmall).toBe(true);
  });

  it("takes nothing after it is closed", () => {
    const writer = new ListingWriter(new Uint8Array(64), false);
    writer.close();
    expect(writer.fits(item.name)).toBe(false);
    expect(() => writer.add(item)).toThrow(RangeError);
  });
});

describe("notifications", () => {
  it("write fuse_notify_inval_inode_out", () => {
    expect(joined(encodeInvalidateInode(5, 4096, -1))).toEqual(
      hex(`
        28 00 00 00               len
        02 00 00 00               code
        00 00 00 00 00 00 00 00   unique
        05 00 00 00 00 00 00 00   ino
        00 10 00 00 00 00 00 00   off
        ff ff ff ff ff ff ff ff   len
      `),
    );
  });

  it("write fuse_notify_inval_entry_out and the name", () => {
    expect(joined(encodeInvalidateEntry(1, hex("61 62")))).toEqual(
      hex(`
        23 00 00 00               len
        03 00 00 00               code
        00 00 00 00 00 00 00 00   unique
        01 00 00 00 00 00 00 00   parent
        02 00 00 00               namelen
        00 00 00 00               flags
        61 62 00                  name
      `),
    );
  });

  it("write fuse_notify_delete_out and the name", () => {
    expect(joined(encodeDelete(1, 9, hex("61")))).toEqual(
      hex(`
        2a 00 00 00               len
        06 00 00 00               code
        00 00 00 00 00 00 00 00   unique
        01 00 00 00 00 00 00 00   parent
        09 00 00 00 00 00 00 00   child
        01 00 00 00               namelen
        00 00 00 00               padding
        61 00                     name
      `),
    );
  });
});

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}
