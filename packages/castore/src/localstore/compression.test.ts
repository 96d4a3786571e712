import { describe, expect, it } from "vitest";
import { toHex } from "../bytes.js";
import { CastoreError } from "../errors.js";
import { SeededRandom, seededBytes } from "../testing/seeded-random.js";
import {
  addonZstd,
  compressIfSmaller,
  frameContentSize,
  loadZstd,
  nodeZstd,
  wasmZstd,
  type ZstdCodec,
} from "./compression.js";

const MIB = 1024 * 1024;

/** Every codec that this Node has: at least the one of WebAssembly. */
const CODECS: (readonly [string, ZstdCodec])[] = [
  ["WebAssembly", await wasmZstd()] as const,
  ...[["addon", addonZstd()] as const, ["Node", nodeZstd()] as const].flatMap(([name, codec]) =>
    codec === undefined ? [] : [[name, codec] as const],
  ),
];
const PAIRS = CODECS.flatMap(([from, a]) => CODECS.map(([to, b]) => [from, to, a, b] as const));

/** Bytes that compress: two letters at random. */
function text(length: number): Uint8Array {
  return seededBytes(length, length).map((byte) => 97 + (byte & 1));
}

/** A frame of one block that repeats one byte, made by hand after RFC 8878. */
function repeatedByteFrame(statedSize: number, blockSize: number): Uint8Array {
  const frame = new Uint8Array(4 + 1 + 1 + 4 + 3 + 1);
  const view = new DataView(frame.buffer);
  view.setUint32(0, 0xfd2fb528, true);
  frame[4] = 0x80; // content size of 4 bytes, window descriptor
  frame[5] = 0x58; // window of 2 MiB
  view.setUint32(6, statedSize, true);
  const header = 1 | (1 << 1) | (blockSize << 3); // last block, run-length encoded
  view.setUint16(10, header & 0xffff, true);
  frame[12] = header >>> 16;
  frame[13] = 0x41;
  return frame;
}

describe("compress()", () => {
  it.each(PAIRS)("of %s is read by decompress() of %s", (_from, _to, a, b) => {
    for (const length of [0, 1, 255, 256, 257, 65_535, 65_536, 65_792, 300_000]) {
      const bytes = text(length);
      const frame = Uint8Array.from(a.compress(bytes));
      expect(frameContentSize(frame)).toBe(length);
      const raw = b.decompress(frame, length);
      expect(Object.getPrototypeOf(raw)).toBe(Uint8Array.prototype);
      expect(toHex(raw)).toBe(toHex(bytes));
    }
  });

  it.each(CODECS)(
    "of %s takes and gives plain arrays, shared memory among them",
    (_name, codec) => {
      const shared = new Uint8Array(new SharedArrayBuffer(5000), 100, 4000);
      shared.set(text(4000));
      const frame = codec.compress(shared);
      expect(Object.getPrototypeOf(frame)).toBe(Uint8Array.prototype);
      expect(toHex(codec.decompress(Uint8Array.from(frame), 4000))).toBe(toHex(text(4000)));
    },
  );
});

describe("decompress()", () => {
  describe.each(CODECS)("of %s", (_name, codec) => {
    function refusal(frame: Uint8Array, rawLength: number): unknown {
      try {
        codec.decompress(frame, rawLength);
      } catch (error) {
        return error;
      }
      return undefined;
    }

    it("reads a frame made by hand", () => {
      const raw = codec.decompress(repeatedByteFrame(1000, 1000), 1000);
      expect(raw).toEqual(new Uint8Array(1000).fill(0x41));
    });

    it.each([
      ["states more than was said", repeatedByteFrame(2000, 2000), 1000],
      ["states less than was said", repeatedByteFrame(999, 999), 1000],
      ["holds more than it states", repeatedByteFrame(1000, 1001), 1000],
      ["holds less than it states", repeatedByteFrame(1000, 999), 1000],
      ["is empty", new Uint8Array(0), 0],
      ["is no frame", new TextEncoder().encode("not a frame at all"), 18],
      ["is cut off", repeatedByteFrame(1000, 1000).subarray(0, 12), 1000],
    ])("refuses a frame that %s", (_what, frame, rawLength) => {
      expect(CastoreError.is(refusal(frame, rawLength), "CORRUPT")).toBe(true);
    });

    it("never takes two frames for one of both contents", () => {
      const frame = repeatedByteFrame(1000, 1000);
      const twice = new Uint8Array([...frame, ...frame]);
      // Node stops at the end of the first frame, the others refuse what follows it.
      const error = refusal(twice, 1000);
      expect(error === undefined || CastoreError.is(error, "CORRUPT")).toBe(true);
      expect(CastoreError.is(refusal(twice, 2000), "CORRUPT")).toBe(true);
    });

    it("refuses a bomb before it takes memory for it", () => {
      const bomb = repeatedByteFrame(0xffff_ffff, 131_072);
      const before = process.memoryUsage().rss;
      for (let i = 0; i < 20; i++) expect(refusal(bomb, 1000)).toBeInstanceOf(CastoreError);
      expect(process.memoryUsage().rss - before).toBeLessThan(100 * MIB);
    });

    it("gives other bytes of the right length or refuses, whatever is damaged", () => {
      const random = new SeededRandom(1);
      const frame = Uint8Array.from(codec.compress(text(3000)));
      for (let i = 0; i < 500; i++) {
        const damaged = Uint8Array.from(frame);
        const at = random.below(damaged.byteLength);
        damaged[at] = (damaged[at] as number) ^ (1 << random.below(8));
        const error = refusal(damaged, 3000);
        if (error !== undefined) expect(CastoreError.is(error, "CORRUPT")).toBe(true);
      }
    });
  });
});

describe("compressIfSmaller()", () => {
  it.each(CODECS)("of %s leaves alone what does not get smaller", (_name, codec) => {
    expect(compressIfSmaller(codec, seededBytes(1, 10_000))).toBeUndefined();
    expect(compressIfSmaller(codec, new Uint8Array(95))).toBeUndefined();
    expect(compressIfSmaller(codec, new Uint8Array(96))?.byteLength).toBeLessThan(91);
  });

  it.each(CODECS)("of %s leaves alone what is long and does not get smaller", (_name, codec) => {
    expect(compressIfSmaller(codec, seededBytes(2, 300_001))).toBeUndefined();
  });

  it.each([0, 1, 2, 3])("compresses what is long when part %s of four gets smaller", (part) => {
    const [, codec] = CODECS[0] as (typeof CODECS)[number];
    const bytes = seededBytes(3, 4 * 40_000);
    bytes.set(text(40_000), part * 40_000);
    const compressed = compressIfSmaller(codec, bytes);
    expect(compressed?.byteLength).toBeLessThan(bytes.byteLength - 30_000);
  });

  it("looks at no more than samples of what is long and does not get smaller", () => {
    const [, codec] = CODECS[0] as (typeof CODECS)[number];
    let seen = 0;
    const compress = (bytes: Uint8Array): Uint8Array => {
      seen += bytes.byteLength;
      return codec.compress(bytes);
    };
    expect(compressIfSmaller({ ...codec, compress }, seededBytes(4, 500_000))).toBeUndefined();
    expect(seen).toBe(16 * 1024);
  });
});

describe("frameContentSize()", () => {
  it.each([
    ["1 byte", "28b52ffd2005", 5],
    ["2 bytes, counted from 256", "28b52ffd60050000", 261],
    ["2 bytes behind a window", "28b52ffd4058ffff", 65_791],
    ["4 bytes", "28b52ffda000000080", 0x8000_0000],
    ["8 bytes", "28b52ffde00000000001000000", 2 ** 32],
    ["4 bytes behind a dictionary id of 4", "28b52ffda30102030407000000", 7],
  ])("reads a size of %s", (_what, hex, size) => {
    expect(frameContentSize(Buffer.from(hex, "hex"))).toBe(size);
  });

  it.each([
    ["no size is stated", "28b52ffd0058000000"],
    ["the frame ends before it", "28b52ffda0000000"],
    ["it is another format", "28b52ffe2005"],
    ["there is nothing", ""],
  ])("is undefined where %s", (_what, hex) => {
    expect(frameContentSize(Buffer.from(hex, "hex"))).toBeUndefined();
  });
});

describe("loadZstd()", () => {
  it("always finds one, and the same", async () => {
    const codec = await loadZstd();
    expect(await loadZstd()).toBe(codec);
    expect(codec.decompress(Uint8Array.from(codec.compress(text(500))), 500)).toEqual(text(500));
  });
});
