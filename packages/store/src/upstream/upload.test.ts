import { mkdtemp, readdir, rm } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryBlobService, MemoryDirectoryService, toUtf8 } from "@tvix/castore";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FILE_COMPRESSIONS } from "../compression/compress-file.js";
import { decompress } from "../compression/decompress.js";
import { contentAddress } from "../content-address.js";
import { type CastoreServices, calculateNar } from "../nar/renderer.js";
import { NixHash } from "../nix-hash.js";
import { PathInfo } from "../path-info.js";
import { sha256 } from "../sha256/sha256.js";
import { buildStorePath } from "../store-path/build.js";
import { collectBytes } from "../testing/bytes.js";
import { CacheServer } from "../testing/cache-server.js";
import { type MemoryTree, referenceNar } from "../testing/nar-reference.js";
import { storeTree } from "../testing/tree-arbitrary.js";
import { parseCacheAddress } from "./cache-address.js";
import { CacheClient, type CacheClientOptions } from "./cache-client.js";
import { PackedNar } from "./packed-nar.js";

const BODY = new Uint8Array(300_000).fill(7);
const HEADERS = { "content-length": String(BODY.byteLength) };

let server: CacheServer;
let directory: string;
const clients: CacheClient[] = [];

beforeEach(async () => {
  server = await CacheServer.start();
  directory = await mkdtemp(join(tmpdir(), "tvix-upload-"));
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await server.stop();
  await rm(directory, { recursive: true });
});

function connect(options: CacheClientOptions = {}): CacheClient {
  const retries = { firstPause: 1, random: () => 0 };
  const client = new CacheClient(parseCacheAddress(server.url), { retries, ...options });
  clients.push(client);
  return client;
}

/** Takes each upload as the next of `answers` says. */
function answering(
  ...answers: readonly ((request: IncomingMessage, response: ServerResponse) => void)[]
): { readonly bodies: number[] } {
  const bodies: number[] = [];
  server.misbehave = (request, response) => {
    const answer = answers[bodies.length];
    const index = bodies.push(0) - 1;
    request.on("data", (chunk: Uint8Array) => {
      bodies[index] = (bodies[index] ?? 0) + chunk.byteLength;
    });
    answer?.(request, response);
    return true;
  };
  return { bodies };
}

function status(code: number, text = ""): (r: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    request.once("end", () => response.writeHead(code, { "content-type": "text/plain" }).end(text));
  };
}

/** Counts how often a body is made. */
class Bodies {
  count = 0;

  open(): AsyncIterable<Uint8Array> {
    this.count++;
    return (async function* pieces() {
      for (let i = 0; i < BODY.byteLength; i += 50_000) yield BODY.subarray(i, i + 50_000);
    })();
  }
}

describe("CacheClient.put()", () => {
  it.each([
    ["the server fails for a while", status(503)],
    ["the server wants less at a time", status(429)],
    ["the connection breaks off", (request: IncomingMessage) => void request.destroy()],
  ])("sends the whole anew when %s", async (_, misfortune) => {
    const { bodies } = answering(misfortune, misfortune, status(201));
    const made = new Bodies();
    const url = new URL("nar/x.nar", server.url);
    await connect().put(url, HEADERS, () => made.open());
    expect([made.count, bodies.length, bodies[2]]).toEqual([3, 3, BODY.byteLength]);
  });

  it.each([
    [400, "status", "it is not what it says"],
    [401, "denied", "asks for a user name"],
    [403, "status", "may only read"],
    [409, "status", "another NAR"],
    [501, "status", "no uploads here"],
  ])("does not try again after status %i, and says why", async (code, reason, why) => {
    const { bodies } = answering(status(code, why));
    const made = new Bodies();
    const url = new URL("nar/x.nar", server.url);
    const failure = { reason, message: expect.stringContaining(why) };
    await expect(connect().put(url, HEADERS, () => made.open())).rejects.toMatchObject(failure);
    expect([made.count, bodies.length]).toEqual([1, 1]);
  });

  it("gives up after some attempts", async () => {
    const { bodies } = answering(...Array.from({ length: 9 }, () => status(500)));
    const url = new URL("nar/x.nar", server.url);
    const client = connect({ retries: { attempts: 3, firstPause: 1 } });
    const sending = client.put(url, HEADERS, () => new Bodies().open());
    await expect(sending).rejects.toMatchObject({ reason: "status", status: 500 });
    expect(bodies).toHaveLength(3);
  });

  it("fails as its body fails, and tries that no second time", async () => {
    answering(status(200), status(200));
    const failure = new TypeError("nothing to read");
    let count = 0;
    async function* broken(): AsyncGenerator<Uint8Array> {
      count++;
      yield BODY.subarray(0, 100);
      throw failure;
    }
    const url = new URL("nar/x.nar", server.url);
    await expect(connect().put(url, HEADERS, broken)).rejects.toBe(failure);
    expect(count).toBe(1);
  });
});

describe("PackedNar", () => {
  const TREE: MemoryTree = {
    type: "directory",
    entries: [
      [toUtf8("a"), { type: "file", executable: true, content: toUtf8("words ".repeat(60_000)) }],
    ],
  };
  const NAR = referenceNar(TREE);

  async function sample(): Promise<{ services: CastoreServices; pathInfo: PathInfo }> {
    const services = { blobs: new MemoryBlobService(), directories: new MemoryDirectoryService() };
    const node = await storeTree(services, TREE);
    const nar = await calculateNar(services, node);
    const address = contentAddress("nar", NixHash.of("sha256", nar.narSha256));
    return {
      services,
      pathInfo: PathInfo.of({ storePath: buildStorePath("sample", address), node, ...nar }),
    };
  }

  it.each(["none", ...FILE_COMPRESSIONS] as const)("is a file of %s", async (compression) => {
    const { services, pathInfo } = await sample();
    await using packed = await PackedNar.of(services, pathInfo, {
      compression,
      temporary: directory,
    });
    // Nothing is left behind, however the program ends.
    expect(await readdir(directory)).toEqual([]);
    for (let round = 0; round < 2; round++) {
      const file = await collectBytes(packed.open(), NAR.byteLength);
      expect(BigInt(file.byteLength)).toBe(packed.fileSize);
      expect(NixHash.of("sha256", sha256(file))).toEqual(packed.fileHash);
      const name = packed.fileHash.format("nixbase32");
      expect(packed.url).toMatch(new RegExp(`^nar/${name}\\.nar(\\.[a-z]+)?$`));
      const source = (async function* once() {
        yield file;
      })();
      const nar = await collectBytes(decompress(compression, source), NAR.byteLength);
      expect(Buffer.compare(nar, NAR)).toBe(0);
    }
  });

  it.each(["none", "gzip"] as const)("never is another NAR, as %s", async (compression) => {
    const { services, pathInfo } = await sample();
    const other = PathInfo.of({ ...pathInfo, narSha256: sha256(BODY) });
    const reading = async (): Promise<void> => {
      await using packed = await PackedNar.of(services, other, {
        compression,
        temporary: directory,
      });
      await collectBytes(packed.open(), NAR.byteLength);
    };
    await expect(reading()).rejects.toMatchObject({ name: "StoreError", code: "CORRUPT" });
    expect(await readdir(directory)).toEqual([]);
  });
});
