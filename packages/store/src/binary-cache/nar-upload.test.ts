import zlib from "node:zlib";
import { concatBytes, toUtf8 } from "@tvix/castore";
import { SeededRandom } from "@tvix/castore/testing";
import { describe, expect, it } from "vitest";
import { encodeNixBase32 } from "../nixbase32.js";
import { sha256 } from "../sha256/sha256.js";
import { packNar } from "../testing/cache-server.js";
import { EVIL_NARS } from "../testing/evil-nars.js";
import { type Answer, MemoryCache } from "../testing/memory-cache.js";
import { cut, narLength, narStrings } from "../testing/nar-strings.js";
import { NIX_CLOSURE, type NixUpload, nixUpload } from "../testing/nix-uploads.js";

const [TEXT] = NIX_CLOSURE as [NixUpload];
const SOURCE = nixUpload("NAR by SHA-256");

function pathOf(file: Uint8Array, suffix = ""): string {
  return `/nar/${encodeNixBase32(sha256(file))}.nar${suffix}`;
}

async function* inPieces(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  yield* cut(bytes, length);
}

function statusLine({ status, text }: Answer): string {
  return `${status} ${text.trimEnd()}`.trimEnd();
}

const SUFFIXES: readonly (readonly [compression: string, suffix: string])[] = [
  ["none", ""],
  ["gzip", ""],
  ["gzip", ".gz"],
  ["br", ".br"],
  ["zstd", ".zst"],
  ["xz", ".xz"],
  ["bzip2", ".bz2"],
];

describe("PUT of a NAR", () => {
  it.each(SUFFIXES)("takes %s as %j, and the narinfo after it", async (compression, suffix) => {
    const cache = new MemoryCache();
    const { file } = packNar(SOURCE.nar, compression);
    const path = pathOf(file, suffix);
    expect((await cache.ask("HEAD", path)).status).toBe(404);
    const headers = { "content-length": String(file.byteLength), expect: "100-continue" };
    for (const length of [7, 4096]) {
      const body = inPieces(file, length);
      expect(statusLine(await cache.ask("PUT", path, { body, headers }))).toBe("200");
    }
    expect((await cache.ask("HEAD", path)).status).toBe(200);
    expect((await cache.ask("HEAD", SOURCE.narPath)).status).toBe(200);
    const narinfo = SOURCE.narinfo
      .replace(/^URL: .*/m, `URL: ${path.slice(1)}`)
      .replace(/^Compression: .*/m, `Compression: ${compression}`);
    const answer = await cache.ask("PUT", SOURCE.narinfoPath, { body: narinfo });
    expect(statusLine(answer)).toBe("200");
  });

  it("gives back what came uncompressed, and says that the rest is not kept", async () => {
    const cache = new MemoryCache();
    const { file } = packNar(SOURCE.nar, "gzip");
    await cache.ask("PUT", pathOf(file), { body: file });
    expect((await cache.ask("GET", SOURCE.narPath)).body).toEqual(SOURCE.nar);
    expect(statusLine(await cache.ask("GET", pathOf(file)))).toMatch(/^404 .*compression/);
    expect((await cache.ask("HEAD", `${SOURCE.narPath}.xz`)).status).toBe(404);
  });

  it.each<[string, string, Uint8Array, RegExp]>([
    ["under the name of another", TEXT.narPath, SOURCE.nar, /^400 the body has the SHA-256 05hy/],
    [
      "compressed under the hash of the NAR",
      SOURCE.narPath,
      packNar(SOURCE.nar, "gzip").file,
      /^400 the body has the SHA-256 /,
    ],
    [
      "that is not compressed as its name says",
      `${SOURCE.narPath}.xz`,
      SOURCE.nar,
      /^400 .* not compressed with xz/,
    ],
    ["in a compression that is not read", `${SOURCE.narPath}.lzip`, SOURCE.nar, /^415 .*\.lzip/],
    ["with nothing in it", pathOf(new Uint8Array(0)), new Uint8Array(0), /^400 Cannot read NAR/],
    ["that is not one", pathOf(toUtf8("hello")), toUtf8("hello"), /^400 Cannot read NAR/],
    [
      "with something behind it",
      pathOf(new Uint8Array([...TEXT.nar, 0])),
      new Uint8Array([...TEXT.nar, 0]),
      /^400 Cannot read NAR/,
    ],
    [
      "whose name is no hash",
      `/nar/z${"0".repeat(51)}.nar`,
      SOURCE.nar,
      /^404 .* is not a SHA-256/,
    ],
  ])("refuses one %s", async (_, path, body, message) => {
    const cache = new MemoryCache();
    expect(statusLine(await cache.ask("PUT", path, { body }))).toMatch(message);
    for (const probed of [path, SOURCE.narPath, TEXT.narPath]) {
      expect((await cache.ask("HEAD", probed)).status).toBe(404);
    }
  });

  it("refuses a content-encoding: the name would be the hash of what", async () => {
    const cache = new MemoryCache();
    const headers = { "content-encoding": "gzip" };
    const { status } = await cache.ask("PUT", TEXT.narPath, { body: TEXT.nar, headers });
    expect(status).toBe(415);
  });

  it("refuses what is larger than allowed, announced or not, compressed or not", async () => {
    const cache = new MemoryCache({ maxNarSize: BigInt(SOURCE.nar.byteLength - 1) });
    const { file } = packNar(SOURCE.nar, "gzip");
    const headers = { "content-length": String(SOURCE.nar.byteLength) };
    const asks = [
      cache.ask("PUT", SOURCE.narPath, { body: SOURCE.nar, headers }),
      cache.ask("PUT", SOURCE.narPath, { body: SOURCE.nar }),
      cache.ask("PUT", pathOf(file), { body: file }),
    ];
    for (const answer of await Promise.all(asks)) expect(answer.status).toBe(413);
  });

  it("stops at the limit, however much a small body decompresses to", async () => {
    const cache = new MemoryCache({ maxNarSize: 1_000_000n });
    // The beginning of a NAR with a file of 1 GiB, of which 64 MiB of zeros come.
    const begin = narStrings(
      "nix-archive-1",
      "(",
      "type",
      "regular",
      "contents",
      narLength(1n << 30n),
    );
    const file = new Uint8Array(zlib.gzipSync(concatBytes([begin, new Uint8Array(1 << 26)])));
    const answer = await cache.ask("PUT", pathOf(file), { body: file });
    expect(statusLine(answer)).toMatch(/^413 .*1000000/);
  });

  it.each(EVIL_NARS.map(([name, bytes]) => [name, bytes] as const))(
    "answers 4xx with one line to an evil NAR: %s",
    async (_, bytes) => {
      const cache = new MemoryCache();
      const answer = await cache.ask("PUT", pathOf(bytes), { body: bytes });
      expect([400, 413]).toContain(answer.status);
      expect(answer.text).toMatch(/^[^\n\r]+\n$/);
      expect((await cache.ask("HEAD", pathOf(bytes))).status).toBe(404);
    },
  );
});

describe("PUT of a NAR that is cut off", () => {
  const random = new SeededRandom(20_261_121);
  const uploads = SUFFIXES.map(([compression, suffix]) => {
    const { file } = packNar(SOURCE.nar, compression);
    return { compression, file, path: pathOf(file, suffix) };
  });

  it.each(uploads)("never comes of $compression", async ({ file, path }) => {
    const cache = new MemoryCache();
    const offsets = Array.from({ length: 30 }, () => random.below(file.byteLength));
    for (const offset of [0, 1, file.byteLength - 1, ...offsets]) {
      const body = file.subarray(0, offset);
      const headers = { "content-length": String(file.byteLength) };
      // With its length announced, and as a chunked body whose end looks like any other.
      for (const given of [{ body, headers }, { body }]) {
        expect((await cache.ask("PUT", path, given)).status).toBe(400);
      }
      async function* broken(): AsyncGenerator<Uint8Array> {
        yield body;
        throw new Error("The client has gone");
      }
      await expect(cache.ask("PUT", path, { body: broken() })).rejects.toThrow("client has gone");
      expect((await cache.ask("HEAD", path)).status).toBe(404);
      expect((await cache.ask("HEAD", SOURCE.narPath)).status).toBe(404);
      const narinfo = await cache.ask("PUT", SOURCE.narinfoPath, { body: SOURCE.narinfo });
      expect(statusLine(narinfo)).toMatch(/^400 .*upload it first/);
    }
    expect((await cache.ask("PUT", path, { body: file })).status).toBe(200);
    const narinfo = await cache.ask("PUT", SOURCE.narinfoPath, { body: SOURCE.narinfo });
    expect(narinfo.status).toBe(200);
  });
});
