import {
  CastoreError,
  type Clock,
  MemoryBlobService,
  MemoryDirectoryService,
  toUtf8,
} from "@tvix/castore";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { castoreNarUrl } from "../binary-cache/castore-nar-url.js";
import { ingestNar } from "../nar/ingest-nar.js";
import { type CastoreServices, renderNar } from "../nar/renderer.js";
import type { Narinfo } from "../narinfo/narinfo.js";
import { parseNarinfo } from "../narinfo/parse.js";
import { NixHash } from "../nix-hash.js";
import { MemoryPathInfoService } from "../pathinfoservice/memory.js";
import { createSha256, sha256 } from "../sha256/sha256.js";
import { TrustedKeys } from "../signature/trusted-keys.js";
import { StorePath } from "../store-path/store-path.js";
import {
  CacheServer,
  narinfoOf,
  narinfoText,
  type PackedNar,
  packNar,
} from "../testing/cache-server.js";
import { type MemoryTree, referenceNar } from "../testing/nar-reference.js";
import { NIX_PATHS, NIX_PUBLIC_KEY } from "../testing/nix-paths.js";
import { parseCacheAddress } from "./cache-address.js";
import { type NixCacheOptions, NixCachePathInfoService } from "./nix-cache-path-info-service.js";

const ANYBODY = { signatures: "accept-unsigned" } as const;
const TRUSTED = { signatures: { trustedKeys: TrustedKeys.parse(NIX_PUBLIC_KEY) } };

/** Numbers that look random and are always the same. */
function* randomNumbers(seed: number): Generator<number, never, undefined> {
  for (let state = seed >>> 0; ; ) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state / 2 ** 32;
  }
}

function noise(length: number, seed: number): Uint8Array {
  const numbers = randomNumbers(seed);
  return Uint8Array.from({ length }, () => numbers.next().value * 256);
}

/** Small files and one that is streamed, with content that does and does not compress. */
const TREE: MemoryTree = {
  type: "directory",
  entries: [
    [toUtf8("large"), { type: "file", content: noise(1_100_000, 1), executable: false }],
    [
      toUtf8("small"),
      {
        type: "directory",
        entries: Array.from({ length: 20 }, (_, i) => [
          toUtf8(`file-${String(i).padStart(2, "0")}`),
          {
            type: "file",
            content: toUtf8("again and again ".repeat(i * 20)),
            executable: i % 2 === 0,
          },
        ]),
      },
    ],
    [toUtf8("zero"), { type: "file", content: new Uint8Array(300_000), executable: false }],
  ],
};
const NAR = referenceNar(TREE);
const SMALL_NAR = referenceNar({
  type: "directory",
  entries: [
    [toUtf8("a"), { type: "file", content: noise(9000, 2), executable: false }],
    [toUtf8("b"), { type: "symlink", target: toUtf8("a") }],
  ],
});

/** Time that passes only when a test says so. Sleepers are woken at once. */
class TestClock implements Clock {
  readonly slept: number[] = [];
  time = 1_000_000;
  /** Time limits and pauses that are under way. */
  readonly #timers = new Map<object, { readonly at: number; readonly fire: () => void }>();

  now(): number {
    return this.time;
  }

  after(milliseconds: number, fire: () => void): () => void {
    const timer = {};
    this.#timers.set(timer, { at: this.time + milliseconds, fire });
    return () => this.#timers.delete(timer);
  }

  advance(milliseconds: number): void {
    this.time += milliseconds;
    for (const [timer, { at, fire }] of [...this.#timers]) {
      if (at > this.time || !this.#timers.delete(timer)) continue;
      fire();
    }
  }
}

/** A clock whose pauses between attempts are over at once; time limits are as usual. */
function impatientClock(pauses: number[]): Clock {
  return {
    now: () => Date.now(),
    after(milliseconds, fire) {
      pauses.push(milliseconds);
      const timer = setImmediate(fire);
      return () => clearImmediate(timer);
    },
  };
}

let server: CacheServer;
let target: {
  blobs: MemoryBlobService;
  directories: MemoryDirectoryService;
  pathInfos: MemoryPathInfoService;
};
const open: NixCachePathInfoService[] = [];

beforeEach(async () => {
  server = await CacheServer.start();
  target = {
    blobs: new MemoryBlobService(),
    directories: new MemoryDirectoryService(),
    pathInfos: new MemoryPathInfoService(),
  };
});

afterEach(async () => {
  for (const cache of open.splice(0)) cache.close();
  await server.stop();
});

function connect(
  options: Partial<NixCacheOptions> = {},
  url: string = server.url,
): NixCachePathInfoService {
  const retries = { firstPause: 1, random: () => 0, ...options.retries };
  const cache = new NixCachePathInfoService(parseCacheAddress(url), target, {
    ...ANYBODY,
    ...options,
    retries,
  });
  open.push(cache);
  return cache;
}

function offer(nar: Uint8Array, compression = "none", change: Partial<Narinfo> = {}): Uint8Array {
  return offerPacked(nar, packNar(nar, compression), change);
}

function offerPacked(
  nar: Uint8Array,
  packed: PackedNar,
  change: Partial<Narinfo> = {},
): Uint8Array {
  server.add(narinfoText(nar, packed, change), packed.file);
  return narinfoOf(nar, packed).storePath.digestBytes();
}

/** Hash of the NAR that is stored: comparing large arrays takes a test runner minutes. */
async function storedNar(services: CastoreServices, hash: Uint8Array): Promise<Uint8Array> {
  const pathInfo = await target.pathInfos.get(hash);
  if (pathInfo === undefined) throw new Error("nothing is published");
  const hasher = createSha256();
  for await (const bytes of renderNar(services, pathInfo.node)) hasher.update(bytes);
  return hasher.digest();
}

describe("NixCachePathInfoService.get()", () => {
  it.each(["none", "gzip", "br", "zstd", "xz", "bzip2"])(
    "takes a path compressed by %s",
    async (name) => {
      const hash = offer(NAR, name);
      const pathInfo = await connect().get(hash);
      expect(pathInfo?.narSha256).toEqual(sha256(NAR));
      expect(await storedNar(target, hash)).toEqual(sha256(NAR));
    },
  );

  it.each(NIX_PATHS.filter(({ tree }) => tree !== undefined))(
    "takes what Nix made: $name",
    async ({ narinfo, tree }) => {
      const nar = referenceNar(tree as MemoryTree);
      server.add(narinfo, nar);
      const { storePath, signatures, references } = parseNarinfo(narinfo);
      const pathInfo = await connect(TRUSTED).get(storePath.digestBytes());
      expect(pathInfo?.storePath).toEqual(storePath);
      expect(pathInfo?.references.map(String)).toEqual(references.map(String));
      expect(pathInfo?.signatures.map((signature) => signature.format())).toEqual(
        signatures.map((signature) => signature.format()),
      );
    },
  );

  it("fetches a path once, whoever asks", async () => {
    const hash = offer(NAR, "zstd");
    const cache = connect();
    const [first, second] = await Promise.all([cache.get(hash), cache.get(hash)]);
    expect(first).toBe(second);
    await cache.get(hash);
    expect(server.requests).toHaveLength(3);
  });

  it("remembers for a while what the cache does not have", async () => {
    const clock = new TestClock();
    const cache = connect({ clock, negativeTimeToLive: 1000 });
    const hash = narinfoOf(SMALL_NAR, packNar(SMALL_NAR, "none")).storePath.digestBytes();
    expect(await cache.get(hash)).toBeUndefined();
    offer(SMALL_NAR);
    expect(await cache.get(hash)).toBeUndefined();
    expect(server.requests).toHaveLength(2);
    clock.advance(1000);
    expect(await cache.get(hash)).toBeDefined();
  });

  it.each([404, 410, 403])("takes status %i for absence", async (status) => {
    const hash = offer(SMALL_NAR);
    server.misbehave = (request, response) => {
      if (request.url?.endsWith(".narinfo") !== true) return false;
      response.writeHead(status).end();
      return true;
    };
    expect(await connect().get(hash)).toBeUndefined();
    expect(server.requests).toHaveLength(2);
  });

  it.each([
    [401, "denied", "PERMISSION_DENIED"],
    [407, "denied", "PERMISSION_DENIED"],
    [400, "status", "UNAVAILABLE"],
    [501, "status", "UNAVAILABLE"],
    [304, "status", "UNAVAILABLE"],
  ])("fails at once with status %i", async (status, reason, code) => {
    const hash = offer(SMALL_NAR);
    server.misbehave = (request, response) => {
      if (request.url?.endsWith(".narinfo") !== true) return false;
      response.writeHead(status).end();
      return true;
    };
    await expect(connect().get(hash)).rejects.toMatchObject({ reason, code, status });
    expect(server.requests).toHaveLength(2);
  });

  it.each([408, 429, 500, 502, 503, 504])("tries again after status %i", async (status) => {
    const hash = offer(SMALL_NAR);
    const seen = new Set<string>();
    server.misbehave = (request, response) => {
      const url = request.url ?? "";
      if (seen.has(url)) return false;
      seen.add(url);
      response.writeHead(status, { "retry-after": "0" }).end("busy");
      return true;
    };
    expect(await connect().get(hash)).toBeDefined();
    expect(server.requests).toHaveLength(6);
  });

  it("waits longer after each failure, or as long as the server says, and gives up", async () => {
    const pauses: number[] = [];
    const clock = impatientClock(pauses);
    const hash = offer(SMALL_NAR);
    let failures = 0;
    server.misbehave = (request, response) => {
      if (request.url?.endsWith(".narinfo") !== true) return false;
      failures++;
      response.writeHead(503, failures === 2 ? { "retry-after": "7" } : {}).end();
      return true;
    };
    const retries = { attempts: 5, firstPause: 100, random: () => 0.5, clock };
    await expect(connect({ retries }).get(hash)).rejects.toMatchObject({ status: 503 });
    expect(pauses).toEqual([75, 7000, 300, 600]);
    expect(failures).toBe(5);
  });

  it("does not wait for a server that wants to be left alone for long", async () => {
    const hash = offer(SMALL_NAR);
    server.misbehave = (_, response) => {
      response.writeHead(429, { "retry-after": "3600" }).end();
      return true;
    };
    const error = { status: 429, retryAfter: 3_600_000 };
    await expect(connect().get(hash)).rejects.toMatchObject(error);
    expect(server.requests).toHaveLength(1);
  });

  it("reads what a server encodes without being asked", async () => {
    const hash = offer(NAR);
    for (const [path, { bytes }] of server.files) {
      const headers = { "content-encoding": "gzip" };
      server.files.set(path, { bytes: packNar(bytes, "gzip").file, headers });
    }
    expect(await connect().get(hash)).toBeDefined();
    expect(await storedNar(target, hash)).toEqual(sha256(NAR));
  });

  it("follows redirects, but not for ever, and not to anything", async () => {
    const hash = offer(SMALL_NAR);
    let location = (url: string): string => `/moved${url}`;
    server.misbehave = (request, response) => {
      const url = request.url ?? "";
      if (url.startsWith("/moved")) {
        const file = server.files.get(url.slice("/moved".length));
        if (file !== undefined) server.serve(request, response, file);
        return file !== undefined;
      }
      response.writeHead(302, { location: location(url) }).end();
      return true;
    };
    expect(await connect().get(hash)).toBeDefined();
    location = (url) => `${url}x`;
    await expect(connect().info()).rejects.toMatchObject({ reason: "redirect" });
    location = () => "file:///etc/passwd";
    await expect(connect().info()).rejects.toMatchObject({ reason: "redirect" });
  });

  it("shows credentials to the cache alone, and to no reader of messages", async () => {
    const other = await CacheServer.start();
    try {
      const hash = offer(SMALL_NAR);
      const given: (string | undefined)[] = [];
      const misbehave: CacheServer["misbehave"] = (request, response) => {
        given.push(request.headers.authorization);
        if (request.url?.startsWith("/nar/") !== true) return false;
        response.writeHead(302, { location: `${other.url}/x?secret=1` }).end();
        return true;
      };
      server.misbehave = misbehave;
      other.misbehave = (request, response) => {
        given.push(request.headers.authorization);
        response.writeHead(401).end();
        return true;
      };
      const cache = connect({}, server.url.replace("//", "//user:p%40ss@"));
      const failure = await cache.get(hash).catch((error: unknown) => String(error));
      const basic = `Basic ${btoa("user:p@ss")}`;
      expect(given).toEqual([basic, basic, basic, undefined]);
      expect(failure).toContain("user name and password");
      expect(failure).not.toMatch(/p@ss|p%40ss|secret/);
    } finally {
      await other.stop();
    }
  });

  it("keeps the path of its URL, and appends to it", async () => {
    server.files.set("/a/b/nix-cache-info", {
      bytes: toUtf8("StoreDir: /nix/store\nPriority: 7\n"),
    });
    for (const url of ["/a/b", "/a/b/"]) {
      const info = await connect({}, `nix+${server.url}${url}`).info();
      expect(info).toEqual({ priority: 7, wantMassQuery: false });
    }
  });

  it.each([
    ["for another store directory", "StoreDir: /gnu/store\n", "store-dir"],
    ["without a store directory", "<html>", "not-a-cache"],
    ["that is not there", undefined, "not-a-cache"],
  ])("refuses a cache-info %s", async (_, text, reason) => {
    const hash = offer(SMALL_NAR);
    if (text === undefined) server.files.delete("/nix-cache-info");
    else server.files.set("/nix-cache-info", { bytes: toUtf8(text) });
    await expect(connect().get(hash)).rejects.toMatchObject({ reason, code: "INVALID_ARGUMENT" });
  });
});

describe("NixCachePathInfoService.get() believes nothing", () => {
  const path = StorePath.parse(`${"1".repeat(32)}-x`);
  const plain = packNar(SMALL_NAR, "none");
  const longer = Uint8Array.of(...SMALL_NAR, 0, 0, 0, 0, 0, 0, 0, 0);
  const flipped = SMALL_NAR.slice();
  flipped[500] = (flipped[500] as number) ^ 1;
  it.each<readonly [string, Uint8Array, Partial<Narinfo>, string]>([
    ["a flipped bit", flipped, {}, "mismatch"],
    ["bytes behind the NAR", longer, {}, "mismatch"],
    ["bytes that are not compressed", SMALL_NAR, { compression: "gzip" }, "mismatch"],
    ["no NAR at all", toUtf8("<html>"), { compression: "xz" }, "mismatch"],
    ["an unknown compression", SMALL_NAR, { compression: "lzip" }, "compression"],
    ["a smaller NarSize", SMALL_NAR, { narSize: 9000n }, "mismatch"],
    ["a larger NarSize", SMALL_NAR, { narSize: 90_000n }, "mismatch"],
    ["another NarHash", SMALL_NAR, { narSha256: new Uint8Array(32) }, "mismatch"],
  ])("refuses %s", async (_, file, change, reason) => {
    const text = narinfoText(SMALL_NAR, plain, { contentAddress: undefined, ...change });
    server.add(text.replace(/^File.*\n/gm, ""), file);
    const hash = narinfoOf(SMALL_NAR, plain).storePath.digestBytes();
    await expect(connect().get(hash)).rejects.toMatchObject({ name: "UpstreamError", reason });
    expect(await target.pathInfos.get(hash)).toBeUndefined();
  });

  it.each<readonly [string, Partial<Narinfo>, string]>([
    ["a smaller FileSize", { fileSize: 3n }, "mismatch"],
    ["a larger FileSize", { fileSize: 90_000n }, "truncated"],
    ["another FileHash", { fileHash: NixHash.of("sha1", new Uint8Array(20)) }, "mismatch"],
  ])("refuses %s", async (_, change, reason) => {
    const hash = offer(SMALL_NAR, "none", change);
    await expect(connect().get(hash)).rejects.toMatchObject({ name: "UpstreamError", reason });
    expect(await target.pathInfos.get(hash)).toBeUndefined();
  });

  it("refuses an answer about another path", async () => {
    const hash = offer(SMALL_NAR);
    const [name = ""] = [...server.files.keys()].filter((key) => key.endsWith(".narinfo"));
    const text = narinfoText(SMALL_NAR, plain, { storePath: path });
    server.files.set(name, { bytes: toUtf8(text) });
    await expect(connect().get(hash)).rejects.toMatchObject({ reason: "other-path" });
  });

  it("refuses content that its address does not lead to", async () => {
    server.add(narinfoText(SMALL_NAR, plain, { storePath: path }), SMALL_NAR);
    const failure = { name: "ContentAddressError", reason: "store-path" };
    await expect(connect().get(path.digestBytes())).rejects.toMatchObject(failure);
    expect(await target.pathInfos.get(path.digestBytes())).toBeUndefined();
  });

  it("says so when the NAR is gone", async () => {
    const hash = offer(SMALL_NAR);
    for (const key of server.files.keys()) if (key.startsWith("/nar/")) server.files.delete(key);
    await expect(connect().get(hash)).rejects.toMatchObject({ reason: "missing-nar" });
  });

  it("refuses what nobody signed who is trusted, before it asks for the NAR", async () => {
    const output = NIX_PATHS[7]?.narinfo ?? "";
    const hash = parseNarinfo(output).storePath.digestBytes();
    for (const text of [
      output.replace(/^Sig: .*\n/m, ""),
      output.replace("test.example-1", "other.example-1"),
      output.replace("NarSize: 920", "NarSize: 928"),
      output.replace("5sghw35jqr9bl3i06pb0yv636axdgg4c-text-b ", ""),
    ]) {
      expect(text).not.toBe(output);
      server.add(text, SMALL_NAR);
      const failure = { reason: "unsigned", code: "PERMISSION_DENIED" };
      await expect(connect(TRUSTED).get(hash)).rejects.toMatchObject(failure);
    }
    expect(server.narRequests).toEqual([]);
  });

  it("stops a file that decompresses to more than stated", async () => {
    const bomb = packNar(new Uint8Array(200_000_000), "gzip");
    server.add(narinfoText(SMALL_NAR, bomb), bomb.file);
    const hash = narinfoOf(SMALL_NAR, bomb).storePath.digestBytes();
    await expect(connect().get(hash)).rejects.toMatchObject({ reason: "mismatch" });
  });

  it("stops a narinfo without end", async () => {
    const hash = offer(SMALL_NAR);
    server.misbehave = (request, response) => {
      if (request.url?.endsWith(".narinfo") !== true) return false;
      response.writeHead(200);
      const more = (): void => {
        while (!response.destroyed && response.write(new Uint8Array(65_536)));
        response.once("drain", more);
      };
      more();
      return true;
    };
    await expect(connect().get(hash)).rejects.toMatchObject({ reason: "too-large" });
  });
});

describe("NixCachePathInfoService.get() over a bad line", () => {
  /** Sends only that many bytes of the next NAR, and breaks off. */
  function cutOnce(offset: number): void {
    let isCut = false;
    server.misbehave = (request, response, file) => {
      if (isCut || file === undefined || request.url?.startsWith("/nar/") !== true) return false;
      isCut = true;
      const { byteLength } = file.bytes;
      const headers = server.ranges ? { "accept-ranges": "bytes", etag: '"x"' } : {};
      response.writeHead(200, { "content-length": byteLength, ...headers });
      response.write(file.bytes.subarray(0, offset), () => response.destroy());
      return true;
    };
  }

  const random = randomNumbers(404);
  const plain = packNar(SMALL_NAR, "none");
  const packed = packNar(SMALL_NAR, "zstd");
  const OFFSETS = Array.from({ length: 100 }, () => random.next().value);

  it("publishes nothing of a NAR cut at any of 200 places, and a retry succeeds", async () => {
    for (const [i, share] of OFFSETS.entries()) {
      for (const one of [plain, packed]) {
        target.pathInfos = new MemoryPathInfoService();
        const hash = offerPacked(SMALL_NAR, one);
        server.ranges = i % 2 === 0;
        cutOnce(Math.floor(share * one.file.byteLength));
        const cache = connect({ retries: { attempts: 1 } });
        await expect(cache.get(hash)).rejects.toMatchObject({ code: "UNAVAILABLE" });
        expect(await target.pathInfos.get(hash)).toBeUndefined();
        expect(await cache.get(hash)).toBeDefined();
      }
    }
    expect(await storedNar(target, offerPacked(SMALL_NAR, packed))).toEqual(sha256(SMALL_NAR));
  });

  it("publishes nothing of a NAR that ends early with the right framing", async () => {
    for (const share of OFFSETS) {
      const one = share < 0.5 ? plain : packed;
      server.add(narinfoText(SMALL_NAR, one).replace(/^File.*\n/gm, ""), one.file);
      const { storePath, url } = narinfoOf(SMALL_NAR, one);
      const bytes = one.file.subarray(0, Math.floor(share * one.file.byteLength));
      server.files.set(`/${url}`, { bytes });
      const hash = storePath.digestBytes();
      await expect(connect().get(hash)).rejects.toMatchObject({ reason: "mismatch" });
      expect(await target.pathInfos.get(hash)).toBeUndefined();
    }
  });

  it("goes on where it was, where the server can", async () => {
    const hash = offer(NAR);
    let cuts = 0;
    server.misbehave = (request, response, file) => {
      if (file === undefined || request.url?.startsWith("/nar/") !== true || cuts === 3)
        return false;
      cuts++;
      const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
      const { byteLength } = file.bytes;
      response.writeHead(start === 0 ? 200 : 206, {
        "accept-ranges": "bytes",
        "content-length": byteLength - start,
        "content-range": `bytes ${start}-${byteLength - 1}/${byteLength}`,
      });
      response.write(file.bytes.subarray(start, start + 300_000), () => response.destroy());
      return true;
    };
    expect(await connect().get(hash)).toBeDefined();
    const ranges = server.narRequests.map((request) => request.split(" ")[2] ?? "");
    expect(ranges).toHaveLength(4);
    expect(ranges[0]).toBe("");
    expect(ranges.slice(1).every((range) => /^bytes=\d{5,}-$/.test(range))).toBe(true);
    expect(await storedNar(target, hash)).toEqual(sha256(NAR));
  });

  it("starts anew where the server cannot, or has another file by now", async () => {
    for (const canResume of [false, true]) {
      target.pathInfos = new MemoryPathInfoService();
      const hash = offer(NAR);
      server.ranges = canResume;
      // The ETag of the answer that breaks off is not the one of the file.
      cutOnce(700_000);
      expect(await connect().get(hash)).toBeDefined();
      expect(await storedNar(target, hash)).toEqual(sha256(NAR));
    }
  });

  it("gives up on a server that breaks off each time", async () => {
    const hash = offer(NAR);
    server.ranges = false;
    server.misbehave = (request, response, file) => {
      if (file === undefined || request.url?.startsWith("/nar/") !== true) return false;
      response.writeHead(200, { "content-length": file.bytes.byteLength });
      response.write(file.bytes.subarray(0, 500_000), () => response.destroy());
      return true;
    };
    const cache = connect({ retries: { attempts: 3 } });
    await expect(cache.get(hash)).rejects.toMatchObject({ reason: "truncated" });
    expect(server.narRequests).toHaveLength(3);
  });

  it.each([
    ["an answer that does not begin", false],
    ["a body that stops", true],
  ])("has a time limit for %s", async (_, begins) => {
    const clock = new TestClock();
    const hash = offer(NAR);
    let isStuck = (): void => {};
    const stuck = new Promise<void>((resolve) => {
      isStuck = resolve;
    });
    server.misbehave = (request, response, file) => {
      if (file === undefined || request.url?.startsWith("/nar/") !== true) return false;
      if (!begins) isStuck();
      else {
        response.writeHead(200, { "content-length": file.bytes.byteLength });
        response.write(file.bytes.subarray(0, 1000), () => isStuck());
      }
      return true;
    };
    const cache = connect({
      clock,
      retries: { attempts: 1 },
      timeouts: { headers: 50, stall: 50 },
    });
    const got = cache.get(hash);
    got.catch(() => {});
    await stuck;
    // What is on its way arrives first.
    let failure: unknown;
    got.catch((error: unknown) => {
      failure = error;
    });
    while (failure === undefined) {
      clock.advance(10);
      await new Promise(setImmediate);
    }
    expect(failure).toMatchObject({ reason: "timeout", code: "UNAVAILABLE" });
    expect(await target.pathInfos.get(hash)).toBeUndefined();
  });

  it("ends when its caller does not want to wait any more", async () => {
    const hash = offer(NAR);
    const controller = new AbortController();
    const reason = new Error("enough");
    server.misbehave = (request, response) => {
      if (request.url?.startsWith("/nar/") !== true) return false;
      response.writeHead(200);
      response.write(NAR.subarray(0, 1000), () => controller.abort(reason));
      return true;
    };
    await expect(connect().get(hash, { signal: controller.signal })).rejects.toBe(reason);
  });

  it("says who cannot be reached", async () => {
    const hash = offer(NAR);
    const cache = connect({ retries: { attempts: 2 } });
    await server.stop();
    await expect(cache.get(hash)).rejects.toMatchObject({ reason: "unreachable" });
    server = await CacheServer.start();
  });
});

describe("NixCachePathInfoService.take() from castore", () => {
  async function infused(): Promise<{ source: CastoreServices; hash: Uint8Array }> {
    const source = { blobs: new MemoryBlobService(), directories: new MemoryDirectoryService() };
    const { root, narSize } = await ingestNar(source, [NAR] as never);
    const url = castoreNarUrl(root, narSize);
    const hash = offerPacked(NAR, packNar(NAR, "none"), { url });
    return { source, hash };
  }

  it("fetches only what is missing, and no NAR", async () => {
    const { source, hash } = await infused();
    await target.blobs.put([noise(1_100_000, 1)]);
    const cache = connect({ openCastore: async () => source });
    const narinfo = await cache.describe(hash);
    const taken = await cache.take(narinfo as Narinfo);
    expect(taken.way).toBe("castore");
    expect(taken.bytesMoved).toBeGreaterThan(300_000);
    expect(taken.bytesMoved).toBeLessThan(500_000);
    expect(server.narRequests).toEqual([]);
    await target.pathInfos.put(taken.pathInfo);
    expect(await storedNar(target, hash)).toEqual(sha256(NAR));
  });

  it("shows what is at the same place who asks", async () => {
    const { source, hash } = await infused();
    const asked: unknown[] = [];
    const openCastore = async (url: URL, authorization: string | undefined) => {
      asked.push([url.href, authorization]);
      return source;
    };
    const own = { authorization: "Bearer secret" };
    for (const [options, url] of [
      [{}, server.url.replace("//", "//me:word@")],
      [own, server.url],
      [own, server.url.replace("//", "//me:word@")],
      [{}, server.url],
    ] as const) {
      const cache = connect({ openCastore, ...options }, url);
      expect((await cache.take((await cache.describe(hash)) as Narinfo)).way).toBe("castore");
    }
    const place = `${server.url}/`;
    expect(asked).toEqual([
      [place, `Basic ${btoa("me:word")}`],
      [place, "Bearer secret"],
      [place, "Bearer secret"],
      [place, undefined],
    ]);
  });

  it("takes the NAR on any doubt", async () => {
    const { source, hash } = await infused();
    const broken = new MemoryBlobService();
    const failing = {
      ...source,
      blobs: {
        ...broken,
        openRead: async () => {
          throw new CastoreError("UNAVAILABLE", "gone");
        },
      },
    } as unknown as CastoreServices;
    for (const castore of [undefined, { ...source, blobs: broken }, failing]) {
      target.pathInfos = new MemoryPathInfoService();
      target.blobs = new MemoryBlobService();
      target.directories = new MemoryDirectoryService();
      const cache = connect({ openCastore: async () => castore });
      const narinfo = (await cache.describe(hash)) as Narinfo;
      expect((await cache.take(narinfo)).way).toBe("nar");
    }
  });

  it("compares the NAR of a tree that is complete", async () => {
    const { source, hash } = await infused();
    const other = await ingestNar(source, [SMALL_NAR] as never);
    const url = castoreNarUrl(other.root, BigInt(NAR.byteLength));
    server.add(narinfoText(NAR, packNar(NAR, "none"), { url }), NAR);
    const cache = connect({ openCastore: async () => source });
    const taken = await cache.take((await cache.describe(hash)) as Narinfo);
    expect(taken.way).toBe("nar");
    expect(taken.pathInfo.node).not.toEqual(other.root);
  });
});

describe("NixCachePathInfoService", () => {
  it("neither puts nor lists", async () => {
    const cache = connect();
    await expect(cache.put()).rejects.toMatchObject({ code: "UNSUPPORTED" });
    await expect(cache.list().next()).rejects.toMatchObject({ code: "UNSUPPORTED" });
  });
});
