import zlib from "node:zlib";
import { concatBytes, toUtf8 } from "@tvix/castore";
import { seededBytes } from "@tvix/castore/testing";
import { describe, expect, it } from "vitest";
import { packNar } from "../testing/cache-server.js";
import { cut } from "../testing/nar-strings.js";
import { type Compression, compressionOfSuffix, sniffCompression } from "./compression.js";
import { CompressionError } from "./compression-error.js";
import { decompress } from "./decompress.js";
import { availableEncodings, encodeStream } from "./encode-content.js";
import { portableZstd } from "./zstd.js";

/** Repetition, what cannot be compressed, and zeros; several blocks of bzip2. */
const PLAIN = concatBytes([
  toUtf8("text that repeats itself. ".repeat(4000)),
  seededBytes(20_261_121, 150_000),
  new Uint8Array(1_000_000),
]);

const COMPRESSIONS = ["none", "gzip", "br", "zstd", "xz", "bzip2"] as const;
const COMPRESSED = COMPRESSIONS.filter((compression) => compression !== "none");

type Decoder = (source: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;

const DECODERS: readonly (readonly [name: string, file: Uint8Array, decode: Decoder])[] = [
  ...COMPRESSED.map(
    (compression) =>
      [
        compression,
        packNar(PLAIN, compression).file,
        (source: AsyncIterable<Uint8Array>) => decompress(compression, source),
      ] as const,
  ),
  ["zstd in JavaScript", packNar(PLAIN, "zstd").file, portableZstd],
];

async function* pieces(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  yield new Uint8Array(0);
  yield* cut(bytes, length);
}

async function all(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return concatBytes(chunks);
}

function isPlain(bytes: Uint8Array): boolean {
  return Buffer.compare(bytes, PLAIN) === 0;
}

describe.each(DECODERS)("decompress() of %s", (name, file, decode) => {
  it.each([997, 65_536, 1 << 30])("gives what was compressed, in pieces of %i", async (length) => {
    expect(isPlain(await all(decode(pieces(file, length))))).toBe(true);
  });

  it("gives bytes that are no Buffers, and lets them alone", async () => {
    const kept: Uint8Array[] = [];
    for await (const chunk of decode(pieces(file, 1000))) kept.push(chunk);
    expect(kept.every((chunk) => chunk.constructor === Uint8Array)).toBe(true);
    expect(isPlain(concatBytes(kept))).toBe(true);
  });

  it("says that it was cut off", async () => {
    const length = file.byteLength;
    for (const end of [0, 1, 5, 12, 1000, length >> 1, length - 1]) {
      const error = await all(decode(pieces(file.subarray(0, end), 4096))).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(CompressionError);
    }
  });

  it("never gives what was compressed for what is not that", async () => {
    for (const at of [0, 1, 2, file.byteLength >> 1, file.byteLength - 20]) {
      const changed = new Uint8Array(file);
      changed[at] = (changed[at] ?? 0) ^ 0x55;
      const result = await all(decode(pieces(changed, 4096))).catch((error: unknown) => error);
      if (result instanceof Uint8Array) expect(isPlain(result) && name !== "gzip").toBe(false);
      else expect(result).toBeInstanceOf(CompressionError);
    }
  });

  it("closes the source when nobody wants more, and when it fails", async () => {
    for (const bytes of [file, toUtf8("nothing of the kind".repeat(100))]) {
      let onClosed = (): void => {};
      const closed = new Promise<void>((resolve) => {
        onClosed = resolve;
      });
      async function* watched(): AsyncGenerator<Uint8Array> {
        try {
          yield* cut(bytes, 500);
        } finally {
          onClosed();
        }
      }
      try {
        for await (const _ of decode(watched())) break;
      } catch (error) {
        expect(error).toBeInstanceOf(CompressionError);
      }
      await closed;
    }
  });

  it("lets failures of the source out as they are", async () => {
    const failure = new Error("the client has gone");
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield file.subarray(0, 2000);
      throw failure;
    }
    await expect(all(decode(failing()))).rejects.toBe(failure);
  });
});

describe("decompress()", () => {
  it.each(["gzip", "zstd", "xz", "bzip2"] as const)("reads several files of %s", async (kind) => {
    const { file } = packNar(toUtf8("one after the other\n"), kind);
    const twice = await all(decompress(kind, pieces(concatBytes([file, file]), 1000)));
    expect(new TextDecoder().decode(twice)).toBe("one after the other\n".repeat(2));
  });

  it("makes little at a time of much, whatever comes", async () => {
    const zeros = new Uint8Array(100_000_000);
    for (const kind of COMPRESSED) {
      const file =
        kind === "bzip2"
          ? packNar(zeros.subarray(0, 10_000_000), kind).file
          : packNar(zeros, kind).file;
      let largest = 0;
      let length = 0;
      for await (const chunk of decompress(kind, pieces(file, 1 << 20))) {
        largest = Math.max(largest, chunk.byteLength);
        length += chunk.byteLength;
        if (length > 5_000_000) break;
      }
      expect([kind, largest < 50_000_000]).toEqual([kind, true]);
    }
  });
});

describe("sniffCompression()", () => {
  it("knows all but Brotli by their first bytes", () => {
    for (const compression of ["gzip", "zstd", "xz", "bzip2"] as const) {
      expect(sniffCompression(packNar(PLAIN, compression).file)).toBe(compression);
    }
    expect(sniffCompression(toUtf8("\r\0\0\0\0\0\0\0nix-archive-1"))).toBeUndefined();
    expect(sniffCompression(new Uint8Array(0))).toBeUndefined();
    expect(sniffCompression(Uint8Array.of(0x1f))).toBeUndefined();
  });
});

describe("compressionOfSuffix()", () => {
  it.each<[string, Compression | undefined]>([
    ["", "none"],
    [".gz", "gzip"],
    [".br", "br"],
    [".zst", "zstd"],
    [".xz", "xz"],
    [".bz2", "bzip2"],
    [".lzip", undefined],
    [".lz4", undefined],
    ["xz", undefined],
  ])("takes %j for %s", (suffix, expected) => {
    expect(compressionOfSuffix(suffix)).toBe(expected);
  });
});

describe("encodeStream()", () => {
  it.each(availableEncodings())("writes %s that can be read", async (encoding) => {
    const encoded = await all(encodeStream(encoding, pieces(PLAIN, 10_000)));
    expect(encoded.byteLength).toBeLessThan(PLAIN.byteLength / 2);
    async function* once(): AsyncGenerator<Uint8Array> {
      yield encoded;
    }
    expect(isPlain(await all(decompress(encoding, once())))).toBe(true);
  });

  it("always has gzip and Brotli", () => {
    expect(availableEncodings()).toEqual(expect.arrayContaining(["gzip", "br"]));
    expect(zlib.constants.BROTLI_PARAM_QUALITY).toBeDefined();
  });
});
