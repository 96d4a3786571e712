import { equalBytes } from "@tvix/castore";
import type { Compression } from "../compression/compression.js";
import { CompressionError } from "../compression/compression-error.js";
import { decompress } from "../compression/decompress.js";
import { type IngestedNar, ingestNar } from "../nar/ingest-nar.js";
import { NarFormatError } from "../nar/nar-format-error.js";
import type { CastoreServices } from "../nar/renderer.js";
import { resolveNarUrl } from "../narinfo/nar-url.js";
import type { Narinfo } from "../narinfo/narinfo.js";
import { NixHash } from "../nix-hash.js";
import type { Attempts } from "./attempts.js";
import type { CacheClient } from "./cache-client.js";
import { download } from "./download.js";
import { FileCheck } from "./file-check.js";
import { UpstreamError } from "./upstream-error.js";

/** Names that a narinfo has for what we can read. */
const COMPRESSIONS: ReadonlyMap<string, Compression> = new Map([
  ["none", "none"],
  ["gzip", "gzip"],
  ["br", "br"],
  ["zstd", "zstd"],
  ["xz", "xz"],
  ["bzip2", "bzip2"],
]);

/** What it takes to take a NAR. */
export interface NarTaking {
  readonly client: CacheClient;
  readonly target: CastoreServices;
  readonly narinfo: Narinfo;
  readonly attempts: Attempts;
}

/**
 * Downloads the NAR of a narinfo into castore, once, and holds it against all that the narinfo says.
 *
 * @throws {@link UpstreamError}; what the target throws passes through as it is
 */
export async function takeNar(taking: NarTaking, signal?: AbortSignal): Promise<IngestedNar> {
  const { client, target, narinfo, attempts } = taking;
  const compression = COMPRESSIONS.get(narinfo.compression);
  if (compression === undefined) {
    const what = `its NAR is compressed by ${JSON.stringify(narinfo.compression)}`;
    throw new UpstreamError(
      "compression",
      `Cannot take ${narinfo.storePath} from a cache: ${what}`,
    );
  }
  const check = new FileCheck(narinfo);
  const url = resolveNarUrl(client.url, narinfo.url);
  const file = check.watch(download(client, url, attempts, signal));
  const nar = await ingest(target, decompress(compression, file), narinfo, signal);
  check.finish();
  return verified(nar, narinfo);
}

async function ingest(
  target: CastoreServices,
  source: AsyncIterable<Uint8Array>,
  narinfo: Narinfo,
  signal?: AbortSignal,
): Promise<IngestedNar> {
  try {
    return await ingestNar(target, source, {
      // What decompression makes of a file may be any amount.
      limits: { maxNarSize: narinfo.narSize },
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (cause) {
    if (!(cause instanceof NarFormatError) && !(cause instanceof CompressionError)) throw cause;
    if (cause.code === "UNSUPPORTED") throw cause;
    throw mismatch(narinfo, cause.message, { cause });
  }
}

function verified(nar: IngestedNar, narinfo: Narinfo): IngestedNar {
  if (nar.narSize !== narinfo.narSize) {
    throw mismatch(narinfo, `it has ${nar.narSize} bytes, not ${narinfo.narSize}`);
  }
  if (!equalBytes(nar.narSha256, narinfo.narSha256)) {
    const [actual, stated] = [nar.narSha256, narinfo.narSha256].map((hash) =>
      NixHash.of("sha256", hash),
    );
    throw mismatch(narinfo, `its hash is ${actual}, not ${stated}`);
  }
  return nar;
}

function mismatch(narinfo: Narinfo, why: string, options?: ErrorOptions): UpstreamError {
  const subject = `Cannot take ${narinfo.storePath} from a cache`;
  return new UpstreamError("mismatch", `${subject}: its NAR is not as stated: ${why}`, options);
}
