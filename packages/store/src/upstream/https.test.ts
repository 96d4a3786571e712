import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryBlobService, MemoryDirectoryService, toUtf8 } from "@tvix/castore";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MemoryPathInfoService } from "../pathinfoservice/memory.js";
import { CacheServer, narinfoOf, narinfoText, packNar } from "../testing/cache-server.js";
import { referenceNar } from "../testing/nar-reference.js";
import { parseCacheAddress } from "./cache-address.js";
import { CacheClient } from "./cache-client.js";
import { NixCachePathInfoService } from "./nix-cache-path-info-service.js";
import { NodeTransport } from "./node-transport.js";

const NAR = referenceNar({ type: "file", content: toUtf8("secret"), executable: false });
const PACKED = packNar(NAR, "none");
const HASH = narinfoOf(NAR, PACKED).storePath.digestBytes();

/** A key and a certificate that signs itself, for one address. */
function makeIdentity(directory: string, address: string): { key: string; cert: string } {
  const [key, cert] = [join(directory, `${address}.key`), join(directory, `${address}.pem`)];
  execFileSync(
    "openssl",
    [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
      ...["-subj", `/CN=${address}`, "-addext", `subjectAltName=IP:${address}`, "-days", "2"],
      ...["-keyout", key, "-out", cert],
    ],
    { stdio: "ignore" },
  );
  return { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
}

describe("a cache over https", () => {
  let server: CacheServer;
  let misnamed: CacheServer;
  let own: { key: string; cert: string };
  let other: { key: string; cert: string };
  let elsewhere: { key: string; cert: string };

  beforeAll(async () => {
    const directory = mkdtempSync(join(tmpdir(), "tvix-https-"));
    try {
      own = makeIdentity(directory, "127.0.0.1");
      elsewhere = makeIdentity(directory, "127.0.0.2");
      other = makeIdentity(directory, "127.0.0.3");
    } finally {
      rmSync(directory, { recursive: true });
    }
    server = await CacheServer.start(own);
    misnamed = await CacheServer.start(elsewhere);
    for (const cache of [server, misnamed]) cache.add(narinfoText(NAR, PACKED), PACKED.file);
  });

  afterAll(async () => {
    await server?.stop();
    await misnamed?.stop();
  });

  it("gives to who trusts its authority", async () => {
    const target = {
      blobs: new MemoryBlobService(),
      directories: new MemoryDirectoryService(),
      pathInfos: new MemoryPathInfoService(),
    };
    const cache = new NixCachePathInfoService(parseCacheAddress(server.url), target, {
      signatures: "accept-unsigned",
      transport: new NodeTransport({ ca: own.cert }),
    });
    expect((await cache.get(HASH))?.narSize).toBe(BigInt(NAR.byteLength));
    cache.close();
  });

  it.each([
    ["the authority is not known", () => server, undefined],
    ["the authority is another one", () => server, () => other.cert],
    ["the certificate is for another address", () => misnamed, () => elsewhere.cert],
  ])("is not asked for anything, and once only, where %s", async (_, cacheOf, ca) => {
    const cache = cacheOf();
    const before = cache.requests.length;
    const client = new CacheClient(parseCacheAddress(cache.url), {
      transport: new NodeTransport(ca === undefined ? {} : { ca: ca() }),
      authorization: "Bearer secret",
      // A second attempt would wait for longer than a test may take.
      retries: { firstPause: 1_000_000 },
    });
    const url = new URL("nix-cache-info", client.url);
    await expect(client.has(url)).rejects.toMatchObject({
      reason: "unreachable",
      transient: false,
      message: expect.not.stringContaining("secret"),
    });
    expect(client.traffic.requests).toBe(1);
    expect(cache.requests.length).toBe(before);
    client.close();
  });
});
