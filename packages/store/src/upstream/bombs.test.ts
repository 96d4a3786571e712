import { concatBytes, MemoryBlobService, MemoryDirectoryService, toUtf8 } from "@tvix/castore";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decompress } from "../compression/decompress.js";
import { portableZstd } from "../compression/zstd.js";
import { ingestNar } from "../nar/ingest-nar.js";
import { encodeNixBase32 } from "../nixbase32.js";
import { MemoryPathInfoService } from "../pathinfoservice/memory.js";
import { sha256 } from "../sha256/sha256.js";
import { CacheServer, narinfoOf, narinfoText, packNar } from "../testing/cache-server.js";
import { MemoryCache } from "../testing/memory-cache.js";
import { referenceNar } from "../testing/nar-reference.js";
import { narLength, narStrings } from "../testing/nar-strings.js";
import { parseCacheAddress } from "./cache-address.js";
import { NixCachePathInfoService } from "./nix-cache-path-info-service.js";

const MIB = 1024 * 1024;
/** What each bomb decompresses to: more than a block of bzip2, which is the largest step of all. */
const ZEROS = new Uint8Array(64 * MIB);
/** What the NAR is said to have. */
const SMALL_NAR = referenceNar({
  type: "file",
  content: toUtf8("a few words"),
  executable: false,
});
/** Bytes that may be made before it is noticed: a block of bzip2, some pieces of the others. */
const STEP: Readonly<Record<string, number>> = { bzip2: 46 * MIB };
const COMPRESSIONS = ["gzip", "br", "zstd", "xz", "bzip2"] as const;

/** NARs that go on and on: in a file, behind the end. */
const BOMBS = [
  [
    "in a file",
    concatBytes([
      narStrings("nix-archive-1", "(", "type", "regular", "contents", narLength(1n << 40n)),
      ZEROS,
    ]),
  ],
  ["behind its end", concatBytes([SMALL_NAR, ZEROS])],
] as const;

function castore(): { blobs: MemoryBlobService; directories: MemoryDirectoryService } {
  return { blobs: new MemoryBlobService(), directories: new MemoryDirectoryService() };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

describe.each(COMPRESSIONS)("a bomb of %s", (compression) => {
  let server: CacheServer;
  const files = new Map<string, Uint8Array>();

  beforeAll(async () => {
    server = await CacheServer.start();
    for (const [name, nar] of BOMBS) files.set(name, packNar(nar, compression).file);
  });
  afterAll(async () => {
    await server?.stop();
  });

  function fileOf(name: string): Uint8Array {
    const file = files.get(name);
    if (file === undefined) throw new Error(`There is no bomb ${name}`);
    expect(file.byteLength).toBeLessThan(ZEROS.byteLength / 100);
    return file;
  }

  it.each(BOMBS.map(([name]) => name))(
    "%s is decompressed no further than needed",
    async (name) => {
      const decoders = [decompress(compression, once(fileOf(name)))];
      if (compression === "zstd") decoders.push(portableZstd(once(fileOf(name))));
      for (const decoder of decoders) {
        let made = 0;
        async function* counted(): AsyncGenerator<Uint8Array> {
          for await (const bytes of decoder) {
            made += bytes.byteLength;
            yield bytes;
          }
        }
        const limits = { maxNarSize: BigInt(SMALL_NAR.byteLength) };
        await expect(ingestNar(castore(), counted(), { limits })).rejects.toMatchObject({
          name: "NarFormatError",
        });
        expect(made).toBeLessThanOrEqual(STEP[compression] ?? 4 * MIB);
      }
    },
  );

  it("is not taken from a cache", async () => {
    const packed = { compression, file: fileOf("behind its end") };
    server.add(narinfoText(SMALL_NAR, packed), packed.file);
    const pathInfos = new MemoryPathInfoService();
    const target = { ...castore(), pathInfos };
    const cache = new NixCachePathInfoService(parseCacheAddress(server.url), target, {
      signatures: "accept-unsigned",
    });
    const hash = narinfoOf(SMALL_NAR, packed).storePath.digestBytes();
    await expect(cache.get(hash)).rejects.toMatchObject({ reason: "mismatch" });
    expect(await pathInfos.get(hash)).toBeUndefined();
    cache.close();
  });

  it("is not taken as an upload", async () => {
    const cache = new MemoryCache({ maxNarSize: 1_000_000n });
    const file = fileOf("in a file");
    const suffix = { gzip: "", br: ".br", zstd: ".zst", xz: ".xz", bzip2: ".bz2" }[compression];
    const path = `/nar/${encodeNixBase32(sha256(file))}.nar${suffix}`;
    expect([400, 413]).toContain((await cache.ask("PUT", path, { body: file })).status);
    expect((await cache.ask("HEAD", path)).status).toBe(404);
  });
});
