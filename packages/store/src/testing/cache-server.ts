import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import zlib from "node:zlib";
import { contentAddress } from "../content-address.js";
import { formatNarinfo } from "../narinfo/format.js";
import type { Narinfo } from "../narinfo/narinfo.js";
import { NixHash } from "../nix-hash.js";
import { encodeNixBase32 } from "../nixbase32.js";
import { sha256 } from "../sha256/sha256.js";
import { buildStorePath } from "../store-path/build.js";

/** A file of a {@link CacheServer}. */
export interface ServedFile {
  readonly bytes: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Answers a request itself; `false` leaves it to the server. */
export type Misbehaviour = (
  request: IncomingMessage,
  response: ServerResponse,
  file: ServedFile | undefined,
) => boolean;

/** A binary cache of files in memory, over real HTTP, that can be made to fail. */
export class CacheServer {
  readonly files: Map<string, ServedFile> = new Map([
    ["/nix-cache-info", { bytes: new TextEncoder().encode("StoreDir: /nix/store\n") }],
  ]);
  /** Method, path and query, and range of each request. */
  readonly requests: string[] = [];
  /** Whether the server can resume. */
  ranges = true;
  misbehave: Misbehaviour = () => false;
  readonly #server: Server;
  readonly #scheme: "http" | "https";

  private constructor(server: Server, scheme: "http" | "https") {
    this.#server = server;
    this.#scheme = scheme;
  }

  /** @param tls - PEM; without it there is none */
  static async start(tls?: { readonly key: string; readonly cert: string }): Promise<CacheServer> {
    const server = tls === undefined ? createServer() : createSecureServer(tls);
    const cache = new CacheServer(server, tls === undefined ? "http" : "https");
    server.on("request", (request, response) => cache.#answer(request, response));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return cache;
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Requests for NARs. */
  get narRequests(): readonly string[] {
    return this.requests.filter((request) => request.includes("/nar/"));
  }

  /** Takes back a narinfo, as text, and what is at its URL. */
  add(narinfo: string, file: Uint8Array): void {
    const [, hash = ""] = /^StorePath: \/nix\/store\/([a-z0-9]{32})-/m.exec(narinfo) ?? [];
    const [, url = ""] = /^URL: (.*)$/m.exec(narinfo) ?? [];
    this.files.set(`/${hash}.narinfo`, { bytes: new TextEncoder().encode(narinfo) });
    this.files.set(`/${url}`, { bytes: file });
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { method = "", url = "" } = request;
    const range = request.headers.range;
    this.requests.push([method, url, ...(range === undefined ? [] : [range])].join(" "));
    const file = this.files.get(url);
    if (this.misbehave(request, response, file)) return;
    if (file === undefined) {
      response.writeHead(404).end("not here\n");
      return;
    }
    this.serve(request, response, file);
  }

  /** Answers as a server of files does. */
  serve(request: IncomingMessage, response: ServerResponse, { bytes, headers }: ServedFile): void {
    const etag = `"${encodeNixBase32(sha256(bytes))}"`;
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const condition = request.headers["if-range"];
    const isPart =
      this.ranges && request.headers.range !== undefined && (condition ?? etag) === etag;
    const body = isPart ? bytes.subarray(start) : bytes;
    response.writeHead(isPart ? 206 : 200, {
      ...(this.ranges ? { "accept-ranges": "bytes", etag } : {}),
      ...(isPart
        ? { "content-range": `bytes ${start}-${bytes.byteLength - 1}/${bytes.byteLength}` }
        : {}),
      "content-length": body.byteLength,
      ...headers,
    });
    response.end(request.method === "HEAD" ? undefined : body);
  }
}

/** A NAR as a cache keeps it. */
export interface PackedNar {
  readonly compression: string;
  readonly file: Uint8Array;
}

/** Compresses a NAR with what Nix may have used. */
export function packNar(nar: Uint8Array, compression: string): PackedNar {
  return { compression, file: PACKERS[compression]?.(nar) ?? nar };
}

const PACKERS: Readonly<Record<string, (nar: Uint8Array) => Uint8Array>> = {
  gzip: (nar) => new Uint8Array(zlib.gzipSync(nar)),
  br: (nar) =>
    new Uint8Array(
      zlib.brotliCompressSync(nar, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 3 } }),
    ),
  xz: (nar) => filter("xz", nar),
  zstd: (nar) => filter("zstd", nar),
  bzip2: (nar) => filter("bzip2", nar),
};

function filter(program: string, input: Uint8Array): Uint8Array {
  return new Uint8Array(execFileSync(program, ["-c"], { input, maxBuffer: 1 << 28 }));
}

/** The narinfo of a source that a cache keeps in that form. */
export function narinfoOf(nar: Uint8Array, { compression, file }: PackedNar): Narinfo {
  const narSha256 = sha256(nar);
  const address = contentAddress("nar", NixHash.of("sha256", narSha256));
  const fileHash = NixHash.of("sha256", sha256(file));
  return {
    storePath: buildStorePath("sample", address),
    url: `nar/${fileHash.format("nixbase32")}.nar`,
    compression,
    fileHash,
    fileSize: BigInt(file.byteLength),
    narSha256,
    narSize: BigInt(nar.byteLength),
    references: [],
    signatures: [],
    contentAddress: address,
  };
}

/** {@link narinfoOf} as text, with some fields changed. */
export function narinfoText(
  nar: Uint8Array,
  packed: PackedNar,
  change: Partial<Narinfo> = {},
): string {
  return formatNarinfo({ ...narinfoOf(nar, packed), ...change });
}
