import { describe, expect, it } from "vitest";
import { ERRNO } from "../errno.js";
import { layout, u32 } from "../testing/message.js";
import { decodeInit, NEWEST_MINOR_VERSION, negotiate } from "./init.js";

function initBody(size: number): { bytes: Uint8Array; start: number; end: number } {
  const bytes = new Uint8Array(40 + size);
  const fields = layout(u32(7), u32(31), u32(0x20000), u32(0x8000_0001));
  bytes.set(fields.subarray(0, Math.min(size, 16)), 40);
  return { bytes, start: 40, end: 40 + size };
}

describe("decodeInit()", () => {
  it.each([16, 20, 64, 128])("reads fuse_init_in of %i bytes", (size) => {
    expect(decodeInit(initBody(size))).toEqual({ major: 7, minor: 31, flags: 0x8000_0001 });
  });

  it.each([0, 8, 15])("refuses one of %i bytes", (size) => {
    expect(decodeInit(initBody(size))).toBe(ERRNO.EINVAL);
  });
});

describe("negotiate()", () => {
  const EVERYTHING = 0xffff_ffff;

  it.each([
    [30, undefined],
    [0, undefined],
    [31, 31],
    [44, 44],
    [NEWEST_MINOR_VERSION, NEWEST_MINOR_VERSION],
    [NEWEST_MINOR_VERSION + 1, NEWEST_MINOR_VERSION],
    [0xffff_ffff, NEWEST_MINOR_VERSION],
  ])("takes of our minor version and %i the smaller one", (minor, expected) => {
    const connection = negotiate({ major: 7, minor, flags: 0 });
    expect(connection?.minor).toBe(expected);
  });

  it("agrees on nothing that the kernel did not announce", () => {
    for (let bit = 0; bit < 32; bit++) {
      const flags = (1 << bit) >>> 0;
      const connection = negotiate({ major: 7, minor: 40, flags });
      expect([0, flags]).toContain(connection?.flags);
    }
  });

  it("agrees on what serves content that never changes, and on nothing else", () => {
    const connection = negotiate({ major: 7, minor: 40, flags: EVERYTHING });
    // ASYNC_READ, DO_READDIRPLUS, NO_OPEN_SUPPORT, PARALLEL_DIROPS, MAX_PAGES, CACHE_SYMLINKS, NO_OPENDIR_SUPPORT,
    // EXPLICIT_INVAL_DATA, INIT_EXT
    const bits = [0, 13, 17, 18, 22, 23, 24, 25, 30];
    expect(connection?.flags).toBe(bits.reduce((flags, bit) => flags | (1 << bit), 0));
  });
});
