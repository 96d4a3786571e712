import { concatBytes, type Directory, type Node, toUtf8 } from "@tvix/castore";
import { describe, expect, it } from "vitest";
import { decompress } from "../compression/decompress.js";
import { collectBytes } from "../testing/bytes.js";
import { FillingBlobService } from "../testing/filling-blob-service.js";
import { type Answer, MemoryCache } from "../testing/memory-cache.js";
import { type MemoryTree, referenceNar } from "../testing/nar-reference.js";
import { storeTree } from "../testing/tree-arbitrary.js";
import { castoreNarUrl } from "./castore-nar-url.js";

const TREE: MemoryTree = {
  type: "directory",
  entries: [
    [toUtf8("a"), { type: "file", executable: false, content: toUtf8("text ".repeat(5000)) }],
    [toUtf8("b"), { type: "symlink", target: toUtf8("a") }],
    [toUtf8("c"), { type: "directory", entries: [] }],
    [toUtf8("d"), { type: "file", executable: true, content: new Uint8Array(0) }],
  ],
};
const NAR = referenceNar(TREE);

async function served(): Promise<{ cache: MemoryCache; node: Node; url: string }> {
  const cache = new MemoryCache();
  const node = await storeTree(cache, TREE);
  return { cache, node, url: `/${castoreNarUrl(node, BigInt(NAR.byteLength))}` };
}

async function get(headers: Readonly<Record<string, string>>, method = "GET"): Promise<Answer> {
  const { cache, url } = await served();
  return cache.ask(method, url, { headers });
}

describe("GET of a NAR", () => {
  it("sends all of it, which never changes", async () => {
    const { status, headers, body } = await get({});
    expect(status).toBe(200);
    expect(body).toEqual(NAR);
    expect(headers).toEqual({
      "accept-ranges": "bytes",
      "cache-control": "public, max-age=31536000, immutable",
      "content-length": String(NAR.byteLength),
      "content-type": "application/x-nix-nar",
      etag: expect.stringMatching(/^"[0-9a-z]{52}"$/),
      vary: "accept-encoding",
    });
  });

  it("tells HEAD the same, without the body", async () => {
    for (const given of [{}, { "accept-encoding": "gzip" }]) {
      const [head, whole] = [await get(given, "HEAD"), await get(given)];
      expect(head.headers).toEqual(whole.headers);
      expect([head.status, head.body.byteLength]).toEqual([200, 0]);
    }
  });

  it("serves the names of tvix and of snix", async () => {
    const { cache, url } = await served();
    const snix = await cache.ask("GET", url.replace("tvix", "snix"));
    expect(snix.body).toEqual(NAR);
  });

  it.each([
    ["bytes=0-9", 0, 10],
    ["bytes=100-20000", 100, 20_001],
    ["bytes=-7", -7, undefined],
    ["bytes=25000-", 25_000, undefined],
  ])("sends the part %s", async (range, start, end) => {
    const { status, headers, body } = await get({ range });
    const part = NAR.subarray(start, end);
    const first = start < 0 ? NAR.byteLength + start : start;
    expect(status).toBe(206);
    expect(body).toEqual(part);
    expect(headers["content-length"]).toBe(String(part.byteLength));
    expect(headers["content-range"]).toBe(
      `bytes ${first}-${first + part.byteLength - 1}/${NAR.byteLength}`,
    );
  });

  it("sends several parts, as long together as it says", async () => {
    const { status, headers, body } = await get({ range: "bytes=0-12,500-501,-3" });
    expect(status).toBe(206);
    const [, boundary = ""] =
      /^multipart\/byteranges; boundary=(\w+)$/.exec(headers["content-type"] ?? "") ?? [];
    const part = (start: number, end: number) => [
      toUtf8(
        `--${boundary}\r\ncontent-type: application/x-nix-nar\r\ncontent-range: bytes ${start}-${end - 1}/${NAR.byteLength}\r\n\r\n`,
      ),
      NAR.subarray(start, end),
      toUtf8("\r\n"),
    ];
    const size = NAR.byteLength;
    const expected = [
      ...part(0, 13),
      ...part(500, 502),
      ...part(size - 3, size),
      toUtf8(`--${boundary}--\r\n`),
    ];
    expect(body).toEqual(concatBytes(expected));
    expect(headers["content-length"]).toBe(String(body.byteLength));
    expect((await get({ range: "bytes=0-12,500-501,-3" })).body).toEqual(body);
  });

  it("says how long it is to who asks for what lies behind it", async () => {
    const { status, headers, body } = await get({ range: `bytes=${NAR.byteLength}-` });
    expect([status, headers["content-range"]]).toEqual([416, `bytes */${NAR.byteLength}`]);
    expect(body.byteLength).toBe(0);
  });

  it("sends parts only of what the client has a part of", async () => {
    const etag = (await get({})).headers["etag"] ?? "";
    const range = "bytes=0-9";
    expect((await get({ range, "if-range": etag })).status).toBe(206);
    for (const other of ['"x"', `W/${etag}`, "Sat, 21 Nov 2026 16:00:00 GMT"]) {
      const answer = await get({ range, "if-range": other });
      expect([answer.status, answer.body.byteLength]).toEqual([200, NAR.byteLength]);
    }
  });

  it("sends nothing to who has it already", async () => {
    const etag = (await get({})).headers["etag"] ?? "";
    for (const tags of [etag, `W/${etag}`, `"x", ${etag}`, "*"]) {
      const { status, headers, body } = await get({ "if-none-match": tags, range: "bytes=0-1" });
      expect([status, headers["etag"], body.byteLength]).toEqual([304, etag, 0]);
    }
    expect((await get({ "if-none-match": '"x"' })).status).toBe(200);
  });

  it.each(["gzip", "br", "zstd"] as const)("compresses with %s for who asks", async (coding) => {
    const { headers, body } = await get({ "accept-encoding": coding });
    expect(headers["content-encoding"]).toBe(coding);
    expect(headers["etag"]).toMatch(/^W\//);
    expect(headers).not.toHaveProperty("content-length");
    expect(headers).not.toHaveProperty("accept-ranges");
    expect(body.byteLength).toBeLessThan(NAR.byteLength / 4);
    async function* once(): AsyncGenerator<Uint8Array> {
      yield body;
    }
    expect(await collectBytes(decompress(coding, once()), NAR.byteLength)).toEqual(NAR);
  });

  it("does not compress parts", async () => {
    const { status, headers } = await get({ "accept-encoding": "gzip", range: "bytes=0-9" });
    expect(status).toBe(206);
    expect(headers).not.toHaveProperty("content-encoding");
  });

  it.each([
    ["no size", (url: string) => url.replace(/\?.*/, ""), 400],
    ["an empty size", (url: string) => url.replace(/=.*/, "="), 400],
    ["a wrong size", (url: string) => `${url}1`, 400],
    ["a size that is none", (url: string) => url.replace(/=\d+/, "=-1"), 400],
    ["two sizes", (url: string) => `${url}&narsize=1`, 400],
    ["a size beyond any", (url: string) => url.replace(/=\d+/, "=9999999999999999999"), 400],
    ["a node in other base64", (url: string) => url.replace(/\?/, "A?"), 404],
    ["no node", () => "/nar/tvix-castore/AAAA?narsize=1", 404],
  ])("refuses a URL with %s", async (_, change, status) => {
    const { cache, url } = await served();
    for (const method of ["GET", "HEAD"]) {
      expect((await cache.ask(method, change(url))).status).toBe(status);
    }
  });
});

describe("GET of a NAR that is not complete", () => {
  it("finds out before the first byte that a blob is missing", async () => {
    const { cache, node, url } = await served();
    const bare = new MemoryCache();
    if (node.type !== "directory") throw new TypeError("The root is a directory");
    const found: Directory[] = [];
    for await (const directory of cache.directories.getRecursive(node.digest)) {
      found.unshift(directory);
    }
    for (const directory of found) await bare.directories.put(directory);
    const requests: Record<string, string>[] = [
      {},
      { range: "bytes=0-1" },
      { "accept-encoding": "br" },
    ];
    for (const headers of requests) {
      const { status, text } = await bare.ask("GET", url, {
        headers: headers as Record<string, string>,
      });
      expect([status, text]).toEqual([
        404,
        expect.stringMatching(/^Cannot render a NAR: .* blob .*"a"\n$/),
      ]);
      expect((await bare.ask("HEAD", url, { headers })).status).toBe(404);
    }
  });

  it("finds out that the root is missing", async () => {
    const { url } = await served();
    const { status, text } = await new MemoryCache().ask("GET", url);
    expect([status, text]).toEqual([404, expect.stringContaining("no directory")]);
  });
});

describe("GET of a NAR whose blocks are used again", () => {
  it("sends pieces that stay as they are where none may be lent", async () => {
    const blobs = new FillingBlobService();
    const cache = new MemoryCache({}, { blobs });
    const content = new Uint8Array(12 * 1024 * 1024).map((_, at) => at >> 12);
    const parts = 24;
    const entries: [Uint8Array, MemoryTree][] = [];
    for (let i = 0; i < parts; i++) {
      const part = content.subarray(
        (i * content.length) / parts,
        ((i + 1) * content.length) / parts,
      );
      entries.push([toUtf8(`part-${i + 10}`), { type: "file", executable: false, content: part }]);
    }
    const tree: MemoryTree = { type: "directory", entries };
    const nar = referenceNar(tree);
    const url = `/${castoreNarUrl(await storeTree(cache, tree), BigInt(nar.byteLength))}`;
    // Asked twice: by then there are blocks to use again.
    for (let i = 0; i < 2; i++) {
      const { body } = await cache.ask("GET", url);
      expect(Buffer.compare(body, nar)).toBe(0);
    }
  });
});
