import { type B3Digest, CastoreError, concatBytes, MemoryBlobService, toUtf8 } from "@tvix/castore";
import { seededBytes } from "@tvix/castore/testing";
import { describe, expect, it, vi } from "vitest";
import { FILE_COMPRESSIONS } from "../compression/compress-file.js";
import { decompress } from "../compression/decompress.js";
import type { FileCompression } from "../compression/encoder.js";
import { contentAddress } from "../content-address.js";
import type { Narinfo } from "../narinfo/narinfo.js";
import { parseNarinfo } from "../narinfo/parse.js";
import { NixHash } from "../nix-hash.js";
import { encodeNixBase32 } from "../nixbase32.js";
import { sha256 } from "../sha256/sha256.js";
import { buildStorePath } from "../store-path/build.js";
import { collectBytes } from "../testing/bytes.js";
import { packNar } from "../testing/cache-server.js";
import { MemoryCache } from "../testing/memory-cache.js";
import { type MemoryTree, referenceNar } from "../testing/nar-reference.js";
import { NIX_CLOSURE, type NixUpload } from "../testing/nix-uploads.js";
import { storeTree } from "../testing/tree-arbitrary.js";
import type { BinaryCacheOptions } from "./cache-parts.js";

const TREE: MemoryTree = {
  type: "directory",
  entries: [
    [toUtf8("a"), { type: "file", executable: false, content: toUtf8("text ".repeat(50_000)) }],
    [toUtf8("b"), { type: "symlink", target: toUtf8("a") }],
    [toUtf8("noise"), { type: "file", executable: true, content: seededBytes(3, 20_000) }],
  ],
};
const NAR = referenceNar(TREE);
const PATH = buildStorePath("sample", contentAddress("nar", NixHash.of("sha256", sha256(NAR))));
const NARINFO = `/${PATH.baseName.slice(0, 32)}.narinfo`;

const SUFFIXES: Readonly<Record<FileCompression, string>> = {
  zstd: ".zst",
  gzip: ".gz",
  br: ".br",
  xz: ".xz",
};

/** For what goes on in the background. */
const WAIT = { timeout: 20_000, interval: 5 };

/** A test runner takes a second to compare what is not equal, or large. */
function isSame(bytes: Uint8Array, expected: Uint8Array): void {
  expect(Buffer.compare(bytes, expected)).toBe(0);
}

async function publish(cache: MemoryCache): Promise<MemoryCache> {
  await cache.publish(PATH, await storeTree(cache, TREE));
  return cache;
}

function compressing(options: BinaryCacheOptions = {}, blobs?: MemoryBlobService): MemoryCache {
  return new MemoryCache({ compression: "zstd", ...options }, blobs === undefined ? {} : { blobs });
}

async function narinfoOf(cache: MemoryCache): Promise<Narinfo> {
  const { status, body } = await cache.ask("GET", NARINFO);
  expect(status).toBe(200);
  return parseNarinfo(body);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** Counts what is stored, and does it when it is told to. */
class GatedBlobs extends MemoryBlobService {
  puts = 0;
  gate: Promise<void> = Promise.resolve();
  /** Fails in the place of storing. */
  failure: Error | undefined;

  override async put(...args: Parameters<MemoryBlobService["put"]>): Promise<B3Digest> {
    this.puts++;
    await this.gate;
    if (this.failure !== undefined) throw this.failure;
    return await super.put(...args);
  }
}

/** A promise, and what fulfils it. */
function gate(): { readonly promise: Promise<void>; open(): void } {
  let open = (): void => {};
  const promise = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { promise, open: () => open() };
}

describe.each(FILE_COMPRESSIONS)("a cache that compresses with %s", (compression) => {
  it("describes a file, and serves that very file", async () => {
    const cache = await publish(new MemoryCache({ compression }));
    const narinfo = await narinfoOf(cache);
    const hash = String(narinfo.fileHash?.format("nixbase32"));
    expect(narinfo).toMatchObject({
      compression,
      url: `nar/${hash}.nar${SUFFIXES[compression]}`,
      narSize: BigInt(NAR.byteLength),
    });
    const { status, headers, body } = await cache.ask("GET", `/${narinfo.url}`);
    expect(status).toBe(200);
    expect(NixHash.of("sha256", sha256(body))).toEqual(narinfo.fileHash);
    expect(BigInt(body.byteLength)).toBe(narinfo.fileSize);
    expect(headers).toMatchObject({
      "accept-ranges": "bytes",
      "cache-control": "public, max-age=31536000, immutable",
      "content-length": String(body.byteLength),
      "content-type": "application/x-nix-nar",
    });
    expect(body.byteLength).toBeLessThan(NAR.byteLength / 2);
    isSame(await collectBytes(decompress(compression, once(body)), NAR.byteLength), NAR);
    const head = await cache.ask("HEAD", `/${narinfo.url}`);
    expect([head.status, head.headers, head.body.byteLength]).toEqual([200, headers, 0]);
  });

  it("serves parts of the file", async () => {
    const cache = await publish(new MemoryCache({ compression }));
    const url = `/${(await narinfoOf(cache)).url}`;
    const { body: whole, headers } = await cache.ask("GET", url);
    const size = whole.byteLength;
    const rest = await cache.ask("GET", url, {
      headers: { range: "bytes=1000-", "if-range": headers["etag"] ?? "" },
    });
    expect([rest.status, rest.headers["content-range"]]).toEqual([
      206,
      `bytes 1000-${size - 1}/${size}`,
    ]);
    isSame(rest.body, whole.subarray(1000));
    const given = { "if-none-match": headers["etag"] ?? "" };
    expect((await cache.ask("GET", url, { headers: given })).status).toBe(304);
    // It is compressed already.
    const encoded = await cache.ask("GET", url, { headers: { "accept-encoding": "gzip, br" } });
    isSame(encoded.body, whole);
  });
});

describe("a compressed NAR", () => {
  it("is made once, and what was said of it stays true", async () => {
    const blobs = new GatedBlobs();
    const first = await publish(compressing({}, blobs));
    const narinfo = await narinfoOf(first);
    const made = blobs.puts;
    for (const compression of ["zstd", "none", "gzip"] as const) {
      const later = new MemoryCache({ compression }, first);
      expect((await narinfoOf(later)).compression).toBe(compression);
      const { body } = await later.ask("GET", `/${narinfo.url}`);
      expect(NixHash.of("sha256", sha256(body))).toEqual(narinfo.fileHash);
    }
    expect(blobs.puts).toBe(made + 1);
  });

  it("is made once for all who ask at a time", async () => {
    const blobs = new GatedBlobs();
    const cache = await publish(compressing({}, blobs));
    const before = blobs.puts;
    const narinfos = await Promise.all([1, 2, 3, 4].map(() => narinfoOf(cache)));
    expect(new Set(narinfos.map(({ url }) => url)).size).toBe(1);
    expect(blobs.puts).toBe(before + 1);
  });

  it("is not waited for longer than allowed: until then the NAR is served as it is", async () => {
    const blobs = new GatedBlobs();
    const cache = await publish(compressing({ compressionWait: 1 }, blobs));
    const { promise, open } = gate();
    blobs.gate = promise;
    const plain = await narinfoOf(cache);
    expect(plain).toMatchObject({ compression: "none", fileSize: BigInt(NAR.byteLength) });
    isSame((await cache.ask("GET", `/${plain.url}`)).body, NAR);
    open();
    await vi.waitFor(async () => expect((await narinfoOf(cache)).compression).toBe("zstd"), WAIT);
    // What was said before is still true.
    isSame((await cache.ask("GET", `/${plain.url}`)).body, NAR);
  });

  it("that cannot be stored is told of, and not tried again for a while", async () => {
    const blobs = new GatedBlobs();
    const errors: unknown[] = [];
    const cache = await publish(compressing({ onError: (error) => errors.push(error) }, blobs));
    blobs.failure = new CastoreError("STORAGE", "The disk is full");
    for (let i = 0; i < 3; i++) expect((await narinfoOf(cache)).compression).toBe("none");
    expect(errors).toEqual([blobs.failure]);
  });

  it("of what is incomplete is none, and the NAR is not found", async () => {
    const full = await publish(new MemoryCache());
    const errors: unknown[] = [];
    const options = {
      compression: "zstd",
      onError: (error: unknown) => errors.push(error),
    } as const;
    const cache = new MemoryCache(options, {
      directories: full.directories,
      pathInfos: full.pathInfos,
    });
    const narinfo = await narinfoOf(cache);
    expect(narinfo.compression).toBe("none");
    expect((await cache.ask("GET", `/${narinfo.url}`)).status).toBe(404);
    expect(errors).toEqual([expect.objectContaining({ reason: "missing-blob" })]);
  });

  it("that is lost is not found, and is made again", async () => {
    const full = await publish(compressing());
    const { url } = await narinfoOf(full);
    const { directories, pathInfos, values } = full;
    const cache = new MemoryCache({ compression: "zstd" }, { directories, pathInfos, values });
    await storeTree(cache, TREE);
    for (const method of ["GET", "HEAD"]) {
      expect((await cache.ask(method, `/${url}`)).status).toBe(404);
    }
    expect((await narinfoOf(cache)).compression).toBe("zstd");
    expect((await cache.ask("GET", `/${url}`)).status).toBe(200);
  });

  it("is not found under another suffix", async () => {
    const cache = await publish(compressing());
    const { url } = await narinfoOf(cache);
    for (const suffix of ["", ".xz", ".gz"]) {
      const other = `/${url.replace(".zst", suffix)}`;
      expect((await cache.ask("GET", other)).status).toBe(404);
    }
  });

  it("that was uploaded is kept as it came, and nothing is compressed again", async () => {
    const blobs = new GatedBlobs();
    const cache = compressing({}, blobs);
    const packed = packNar(NAR, "zstd");
    const name = encodeNixBase32(sha256(packed.file));
    const url = `/nar/${name}.nar.zst`;
    expect((await cache.ask("PUT", url, { body: packed.file })).status).toBe(200);
    const { status, body, headers } = await cache.ask("GET", url);
    expect([status, headers["content-length"]]).toEqual([200, String(packed.file.byteLength)]);
    isSame(body, packed.file);
    await publish(cache);
    const before = blobs.puts;
    const narinfo = await narinfoOf(cache);
    expect(narinfo).toMatchObject({
      url: url.slice(1),
      compression: "zstd",
      fileSize: BigInt(packed.file.byteLength),
    });
    expect(narinfo.fileHash?.toBytes()).toEqual(sha256(packed.file));
    expect(blobs.puts).toBe(before);
  });

  it.each([
    ["another compression", packNar(NAR, "gzip").file, ".gz", 200],
    ["what is cut off", packNar(NAR, "zstd").file.subarray(0, -9), ".zst", 400],
    ["what is no NAR", packNar(seededBytes(5, 100_000), "zstd").file, ".zst", 400],
    ["more than a NAR", concatBytes([packNar(NAR, "zstd").file, toUtf8("more")]), ".zst", 400],
  ])("is not kept of an upload of %s", async (_, file, suffix, expected) => {
    const blobs = new GatedBlobs();
    const cache = compressing({}, blobs);
    const url = `/nar/${encodeNixBase32(sha256(file))}.nar${suffix}`;
    expect((await cache.ask("PUT", url, { body: file })).status).toBe(expected);
    expect((await cache.ask("GET", url)).status).toBe(404);
  });

  it("is not kept under the name of another", async () => {
    const cache = compressing();
    const { file } = packNar(NAR, "zstd");
    const url = `/nar/${encodeNixBase32(sha256(NAR))}.nar.zst`;
    expect((await cache.ask("PUT", url, { body: file })).status).toBe(400);
    expect((await cache.ask("GET", url)).status).toBe(404);
  });

  it("that cannot be kept fails the upload as what is stored of it does", async () => {
    const blobs = new GatedBlobs();
    const cache = compressing({}, blobs);
    blobs.failure = new CastoreError("STORAGE", "The disk is full");
    const { file } = packNar(NAR, "zstd");
    const url = `/nar/${encodeNixBase32(sha256(file))}.nar.zst`;
    await expect(cache.ask("PUT", url, { body: file })).rejects.toBe(blobs.failure);
    expect((await cache.ask("HEAD", url)).status).toBe(404);
  });

  it("of a path that came by upload is made before anybody asks", async () => {
    const [upload] = NIX_CLOSURE as [NixUpload];
    const blobs = new GatedBlobs();
    const cache = compressing({ compressionWait: 0 }, blobs);
    await cache.ask("PUT", upload.narPath, { body: upload.nar });
    const before = blobs.puts;
    expect((await cache.ask("PUT", upload.narinfoPath, { body: upload.narinfo })).status).toBe(200);
    await vi.waitFor(() => expect(blobs.puts).toBe(before + 1), WAIT);
  });

  it("is what a narinfo may lead to that comes back with more signatures", async () => {
    const cache = await publish(compressing());
    const { text } = await cache.ask("GET", NARINFO);
    const body = `${text}Sig: other-1:${btoa("s".repeat(64))}\n`;
    expect((await cache.ask("PUT", NARINFO, { body })).status).toBe(200);
    const after = await narinfoOf(cache);
    expect(after.signatures.map(({ keyName }) => keyName)).toEqual(["other-1"]);
    expect(after.compression).toBe("zstd");
  });

  it("is given up when the cache is closed, and not begun after that", async () => {
    const blobs = new GatedBlobs();
    const cache = await publish(compressing({ compressionWait: 0 }, blobs));
    const { promise, open } = gate();
    blobs.gate = promise;
    const before = blobs.puts;
    await narinfoOf(cache);
    await vi.waitFor(() => expect(blobs.puts).toBe(before + 1), WAIT);
    const closed = cache.close();
    open();
    await closed;
    expect((await narinfoOf(cache)).compression).toBe("none");
    expect(blobs.puts).toBe(before + 1);
  });
});
