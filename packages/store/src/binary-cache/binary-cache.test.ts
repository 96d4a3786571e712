import { MemoryBlobService, MemoryDirectoryService } from "@tvix/castore";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RenderedNarCalculation } from "../nar/rendered-nar-calculation.js";
import { MemoryNarRoots } from "../nar-roots/memory.js";
import { MemoryPathInfoService } from "../pathinfoservice/memory.js";
import { SigningKey } from "../signature/signing-key.js";
import { MemoryCache } from "../testing/memory-cache.js";
import { NIX_CLOSURE, type NixUpload, nixUpload } from "../testing/nix-uploads.js";
import { BinaryCache } from "./binary-cache.js";
import type { CacheRequest } from "./exchange.js";
import { binaryCacheRoute } from "./routes.js";

const [TEXT] = NIX_CLOSURE as [NixUpload];
const HASH = "0123456789abcdfghijklmnpqrsvwxyz";

async function withText(options: ConstructorParameters<typeof MemoryCache>[0] = {}) {
  const cache = new MemoryCache(options);
  await cache.ask("PUT", TEXT.narPath, { body: TEXT.nar });
  await cache.ask("PUT", TEXT.narinfoPath, { body: TEXT.narinfo });
  return cache;
}

describe("binaryCacheRoute()", () => {
  it.each([
    ["/nix-cache-info", "nix-cache-info"],
    [`/${HASH}.narinfo`, "narinfo"],
    [`/${HASH}.ls`, "listing"],
    [`/nar/${"0".repeat(52)}.nar`, "nar"],
    [`/nar/${"0".repeat(52)}.nar.xz`, "nar"],
    ["/nar/tvix-castore/CgA", "castore-nar"],
    ["/nar/snix-castore/CgA", "castore-nar"],
  ])("knows %s", (path, name) => {
    expect(binaryCacheRoute(path)).toBe(name);
  });

  it.each([
    "",
    "/",
    "nix-cache-info",
    "//nix-cache-info",
    "/nix-cache-info/",
    "/nix-cache-info\n",
    "/NIX-CACHE-INFO",
    "/nix%2dcache-info",
    `/x/../nix-cache-info`,
    `/${HASH}`,
    `/${HASH}.narinfo/`,
    `/${HASH}.narinfo\n`,
    `/${HASH}.narinfo\0`,
    `/${HASH}.narinfo%00`,
    `/${HASH}0.narinfo`,
    `/${HASH.slice(1)}.narinfo`,
    `/${HASH.toUpperCase()}.narinfo`,
    `/${HASH.replace("0", "e")}.narinfo`,
    `/${HASH.replace("0", ".")}.narinfo`,
    `/${HASH.replace("01", "..")}.narinfo`,
    `/${HASH.replace("0", "/")}.narinfo`,
    `/${HASH.replace("012", "%2f")}.narinfo`,
    `/${HASH.replace("0", "\0")}.narinfo`,
    `/${HASH}-name.narinfo`,
    "/../../etc/passwd.narinfo",
    `/nar/${"0".repeat(51)}.nar`,
    `/nar/${"0".repeat(53)}.nar`,
    `/nar/${"0".repeat(52)}`,
    `/nar/${"0".repeat(52)}.nar.`,
    `/nar/${"0".repeat(52)}.nar./x`,
    `/nar/${"0".repeat(52)}.nar.tar.xz`,
    `/nar/${"0".repeat(52)}.nar%2exz`,
    `/nar/../nar/${"0".repeat(52)}.nar`,
    "/nar/tvix-castore/",
    "/nar/tvix-castore/..",
    "/nar/tvix-castore/CgA=",
    "/nar/tvix-castore/CgA/x",
    "/nar/tvix-castore/Cg%41",
    `/nar/tvix-castore/${"A".repeat(6000)}`,
    "/nar/other-castore/CgA",
  ])("does not know %j", (path) => {
    expect(binaryCacheRoute(path)).toBeUndefined();
  });
});

describe("BinaryCache", () => {
  it("tells what it is, as it is told to", async () => {
    const usual = await new MemoryCache().ask("GET", "/nix-cache-info");
    expect(usual.text).toBe("StoreDir: /nix/store\nWantMassQuery: 1\nPriority: 39\n");
    expect(usual.headers["content-type"]).toBe("text/x-nix-cache-info");
    const other = new MemoryCache({ priority: 7, wantMassQuery: false });
    expect((await other.ask("GET", "/nix-cache-info")).text).toBe(
      "StoreDir: /nix/store\nWantMassQuery: 0\nPriority: 7\n",
    );
  });

  it.each([
    ["StoreDir: /nix/store\n", 200],
    ["StoreDir: /gnu/store\n", 400],
    ["", 400],
    ["StoreDir: /nix/store\n".repeat(1000), 413],
  ])("answers PUT of what it is, %j, with %i", async (body, status) => {
    const cache = new MemoryCache();
    expect((await cache.ask("PUT", "/nix-cache-info", { body })).status).toBe(status);
    expect((await cache.ask("GET", "/nix-cache-info")).text).toContain("Priority: 39");
  });

  it("answers HEAD of a narinfo like GET, both ways", async () => {
    const cache = await withText();
    const [head, whole] = [
      await cache.ask("HEAD", TEXT.narinfoPath),
      await cache.ask("GET", TEXT.narinfoPath),
    ];
    expect([head.status, head.headers, head.text]).toEqual([200, whole.headers, ""]);
    expect(whole.headers).toMatchObject({
      "content-type": "text/x-nix-narinfo",
      "content-length": String(whole.body.byteLength),
    });
    const etag = whole.headers["etag"] ?? "";
    const again = await cache.ask("GET", TEXT.narinfoPath, { headers: { "if-none-match": etag } });
    expect([again.status, again.text]).toEqual([304, ""]);
    for (const method of ["GET", "HEAD"]) {
      expect((await cache.ask(method, `/${HASH}.narinfo`)).status).toBe(404);
    }
  });

  it("has narinfos at hand that were asked for, as long as they are true", async () => {
    const cache = await withText({ signingKeys: [SigningKey.generate("key-1")] });
    expect(cache.peek(TEXT.narinfoPath)).toBeUndefined();
    const asked = await cache.ask("GET", TEXT.narinfoPath);
    expect(cache.peek(TEXT.narinfoPath)).toEqual({
      status: 200,
      headers: asked.headers,
      body: asked.body,
    });
    const signature = SigningKey.generate("key-2").signText("anything").format();
    await cache.ask("PUT", TEXT.narinfoPath, { body: `${TEXT.narinfo}Sig: ${signature}\n` });
    expect(cache.peek(TEXT.narinfoPath)).toBeUndefined();
    expect((await cache.ask("GET", TEXT.narinfoPath)).text).toContain(signature);
    expect(cache.peek(TEXT.narinfoPath)).toBeDefined();
    cache.replaceSigningKeys([]);
    expect(cache.peek(TEXT.narinfoPath)).toBeUndefined();
    for (const path of ["/nix-cache-info", TEXT.narPath, `/${HASH}.narinfo`]) {
      await cache.ask("GET", path);
      expect(cache.peek(path)).toBeUndefined();
    }
  });

  it("lists what is in a path, and takes listings that it does not need", async () => {
    const cache = await withText();
    const { headers, text } = await cache.ask("GET", `/${TEXT.hash}.ls`);
    expect(headers["content-type"]).toBe("application/json");
    expect(JSON.parse(text)).toMatchObject({ version: 1, root: { type: "regular", size: 6 } });
    expect((await cache.ask("PUT", `/${HASH}.ls`, { body: "{}" })).status).toBe(200);
    expect((await cache.ask("GET", `/${HASH}.ls`)).status).toBe(404);
  });

  it.each(["POST", "DELETE", "PATCH", "OPTIONS", "get", "TRACE", "PROPFIND"])(
    "allows no %s",
    async (method) => {
      const cache = await withText();
      for (const path of [TEXT.narinfoPath, TEXT.narPath, "/nix-cache-info"]) {
        const { status, headers } = await cache.ask(method, path);
        expect([status, headers["allow"]]).toEqual([405, "GET, HEAD, PUT"]);
      }
    },
  );

  it("allows no PUT where only reading makes sense", async () => {
    const { status, headers } = await new MemoryCache().ask("PUT", "/nar/tvix-castore/CgA");
    expect([status, headers["allow"]]).toEqual([405, "GET, HEAD"]);
  });

  it.each(["-1", "1e3", "0x10", "1.5", "", " ", "99999999999999999999"])(
    "refuses the content-length %j",
    async (length) => {
      const headers = { "content-length": length };
      const answer = await new MemoryCache().ask("PUT", TEXT.narPath, { body: TEXT.nar, headers });
      expect(answer.status).toBe(400);
    },
  );

  it("takes a narinfo that is compressed on its way", async () => {
    const { packNar } = await import("../testing/cache-server.js");
    for (const coding of ["gzip", "br", "xz", "zstd", "bzip2"]) {
      const cache = new MemoryCache();
      await cache.ask("PUT", TEXT.narPath, { body: TEXT.nar });
      const { file } = packNar(new TextEncoder().encode(TEXT.narinfo), coding);
      const headers = { "content-encoding": coding };
      const answer = await cache.ask("PUT", TEXT.narinfoPath, { body: file, headers });
      expect([coding, answer.status]).toEqual([coding, 200]);
    }
    const headers = { "content-encoding": "rot13" };
    const refused = await new MemoryCache().ask("PUT", TEXT.narinfoPath, { body: "", headers });
    expect(refused.status).toBe(415);
  });

  it("signs what it serves with each key, and stores no signature", async () => {
    const key = (name: string, byte: number) => SigningKey.of(name, new Uint8Array(32).fill(byte));
    const keys = [key("ours-1", 1), key("test.example-1", 2), key("ours-2", 3)];
    const cache = await withText({ signingKeys: keys });
    const { text } = await cache.ask("GET", TEXT.narinfoPath);
    const names = text.match(/^Sig: [^:]*/gm)?.sort();
    // One by a key of the name test.example-1 is there already.
    expect(names).toEqual(["Sig: ours-1", "Sig: ours-2", "Sig: test.example-1"]);
    expect(text).toContain(TEXT.narinfo.match(/^Sig: .*$/m)?.[0]);
    for await (const stored of cache.pathInfos.list()) expect(stored.signatures).toHaveLength(1);
    expect.assertions(4);
    expect((await cache.ask("GET", TEXT.narinfoPath)).text).toBe(text);
  });

  it("lets failures of its services out when a request was well", async () => {
    const pathInfos = new MemoryPathInfoService();
    pathInfos.get = () => Promise.reject(new Error("the disk is gone"));
    const services = { blobs: new MemoryBlobService(), directories: new MemoryDirectoryService() };
    const calculateNar = new RenderedNarCalculation(services);
    const cache = new BinaryCache({
      ...services,
      pathInfos,
      calculateNar,
      narRoots: new MemoryNarRoots(),
    });
    const request: CacheRequest = {
      method: "GET",
      path: TEXT.narinfoPath,
      query: "",
      headers: {},
      body: (async function* () {})(),
      signal: new AbortController().signal,
    };
    await expect(cache.handle(request)).rejects.toThrow("the disk is gone");
    expect(await cache.handle({ ...request, path: "/else" })).toBeUndefined();
  });

  it("answers in one line, and never with 5xx, whatever is uploaded", async () => {
    const paths = [TEXT.narinfoPath, TEXT.narPath, `${TEXT.narPath}.xz`, `${TEXT.narPath}.zst`];
    const body = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.constantFrom(...NIX_CLOSURE.map(({ narinfo }) => new TextEncoder().encode(narinfo))),
      fc.constantFrom(nixUpload("text").nar, nixUpload("NAR by SHA-256").nar),
    );
    const edits = fc.array(fc.tuple(fc.nat({ max: 2000 }), fc.nat({ max: 255 })), { maxLength: 4 });
    const property = fc.asyncProperty(
      fc.constantFrom(...paths),
      body,
      edits,
      async (path, bytes, changes) => {
        const changed = new Uint8Array(bytes);
        for (const [at, value] of changes) if (at < changed.byteLength) changed[at] = value;
        const { status, text } = await new MemoryCache().ask("PUT", path, { body: changed });
        expect(status === 200 || (status >= 400 && status < 500)).toBe(true);
        if (status !== 200) expect(text).toMatch(/^[^\p{Cc}]+\n$/u);
      },
    );
    await fc.assert(property, { seed: 20_261_121, numRuns: 400 });
  });
});
