import {
  type B3Digest,
  type BlobReader,
  blake3,
  type CallOptions,
  CastoreError,
  type DirectoryNode,
  MemoryBlobService,
  toUtf8,
} from "@tvix/castore";
import { seededBytes } from "@tvix/castore/testing";
import { describe, expect, it } from "vitest";
import { MemoryCache } from "../testing/memory-cache.js";
import { type MemoryTree, referenceNar } from "../testing/nar-reference.js";
import { storeTree } from "../testing/tree-arbitrary.js";
import { castoreNarUrl } from "./castore-nar-url.js";

/** What is read whole before the first byte goes out, and what comes after that. */
const SMALL = toUtf8("a few words");
const LARGE = seededBytes(9, 3_000_000);

const TREE: MemoryTree = {
  type: "directory",
  entries: [
    [toUtf8("a"), { type: "file", executable: false, content: SMALL }],
    [toUtf8("b"), { type: "file", executable: false, content: seededBytes(8, 2_000_000) }],
    [toUtf8("z"), { type: "file", executable: false, content: LARGE }],
  ],
};
const NAR = referenceNar(TREE);

/** Counts look-ups, and loses blobs, or parts of what is in them. */
class LossyBlobs extends MemoryBlobService {
  lookUps = 0;
  /** What reading a blob fails with, and behind how many bytes. */
  readonly failures = new Map<string, { readonly error: Error; readonly behind: number }>();
  readonly lost = new Set<string>();

  override async hasMany(digests: readonly B3Digest[], options?: CallOptions): Promise<boolean[]> {
    this.lookUps++;
    const there = await super.hasMany(digests, options);
    return there.map((isThere, i) => isThere && !this.lost.has(digests[i]?.key ?? ""));
  }

  override async openRead(
    digest: B3Digest,
    options?: CallOptions,
  ): Promise<BlobReader | undefined> {
    if (this.lost.has(digest.key)) return undefined;
    const reader = await super.openRead(digest, options);
    const failure = this.failures.get(digest.key);
    if (reader === undefined || failure === undefined) return reader;
    const { error, behind } = failure;
    return {
      size: reader.size,
      async *stream(range = {}, call = {}) {
        let at = range.offset ?? 0;
        for await (const bytes of reader.stream(range, call)) {
          for (let i = 0; i < bytes.byteLength; i += 65_536) {
            const piece = bytes.subarray(i, i + 65_536);
            if (at + piece.byteLength > behind) throw error;
            at += piece.byteLength;
            yield piece;
          }
        }
      },
    };
  }
}

const CORRUPT = new CastoreError("CORRUPT", "Cannot read a blob: a bit has flipped");
const NO_CHUNK = new CastoreError(
  "MISSING_REFERENCE",
  "Cannot read a blob: its chunk is not stored",
);

async function served(): Promise<{ blobs: LossyBlobs; cache: MemoryCache; url: string }> {
  const blobs = new LossyBlobs();
  const cache = new MemoryCache({}, { blobs });
  const root = (await storeTree(cache, TREE)) as DirectoryNode;
  return { blobs, cache, url: `/${castoreNarUrl(root, BigInt(NAR.byteLength))}` };
}

/** Status of a response, or the error that ended its body or took its place. */
async function outcome(cache: MemoryCache, url: string, headers = {}): Promise<unknown> {
  try {
    const { status, body } = await cache.ask("GET", url, { headers });
    if (status === 200) expect(Buffer.compare(body, NAR)).toBe(0);
    return status;
  } catch (error) {
    return error;
  }
}

/** Status of a response whose body nobody reads; the error that took its place. */
async function begun(cache: MemoryCache, url: string): Promise<unknown> {
  try {
    return (await cache.ask("GET", url, { discard: true })).status;
  } catch (error) {
    return error;
  }
}

describe("that a NAR is complete", () => {
  it("is looked for once", async () => {
    const { blobs, cache, url } = await served();
    for (let i = 0; i < 4; i++) expect(await outcome(cache, url)).toBe(200);
    expect(await outcome(cache, url, { range: "bytes=0-1" })).toBe(206);
    expect((await cache.ask("HEAD", url)).status).toBe(200);
    expect(blobs.lookUps).toBe(1);
  });

  it("is looked for again while something is missing, and is found", async () => {
    const { blobs, cache, url } = await served();
    blobs.lost.add(blake3(LARGE).key);
    expect(await outcome(cache, url)).toBe(404);
    expect(await outcome(cache, url)).toBe(404);
    blobs.lost.clear();
    expect(await outcome(cache, url)).toBe(200);
    expect(blobs.lookUps).toBe(3);
  });

  it("is forgotten when a read finds that it is not", async () => {
    const { blobs, cache, url } = await served();
    expect(await outcome(cache, url)).toBe(200);
    blobs.lost.add(blake3(LARGE).key);
    // Nobody has looked, and the first bytes have gone out.
    expect(await outcome(cache, url)).toMatchObject({ reason: "missing-blob" });
    expect(await begun(cache, url)).toBe(404);
    blobs.lost.clear();
    expect(await outcome(cache, url)).toBe(200);
  });
});

describe("a NAR that cannot be read", () => {
  it.each([
    ["is damaged", CORRUPT, CORRUPT],
    ["lacks a chunk", NO_CHUNK, 404],
  ])("at its start, as a blob %s, never begins", async (_, error, expected) => {
    const { blobs, cache, url } = await served();
    blobs.failures.set(blake3(SMALL).key, { error, behind: 0 });
    for (let i = 0; i < 2; i++) expect(await begun(cache, url)).toBe(expected);
    expect(await outcome(cache, url, { range: "bytes=0-1000" })).toBe(expected);
    blobs.failures.clear();
    expect(await outcome(cache, url)).toBe(200);
  });

  it.each([
    ["is damaged", CORRUPT, CORRUPT],
    ["lacks a chunk", NO_CHUNK, 404],
  ])("behind that, as a blob %s, begins only once", async (_, error, expected) => {
    const { blobs, cache, url } = await served();
    blobs.failures.set(blake3(LARGE).key, { error, behind: 1_500_000 });
    expect(await outcome(cache, url)).toBe(error);
    for (let i = 0; i < 2; i++) expect(await begun(cache, url)).toBe(expected);
    blobs.failures.clear();
    expect(await outcome(cache, url)).toBe(200);
    expect(await begun(cache, url)).toBe(200);
  });
});
