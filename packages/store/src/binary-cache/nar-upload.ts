import { equalBytes } from "@tvix/castore";
import { type Compression, compressionOfSuffix } from "../compression/compression.js";
import { decompress } from "../compression/decompress.js";
import { sniffStream } from "../compression/sniff-stream.js";
import { type IngestedNar, ingestNar } from "../nar/ingest-nar.js";
import { NarFormatError } from "../nar/nar-format-error.js";
import { encodeNixBase32 } from "../nixbase32.js";
import { createSha256, type Sha256 } from "../sha256/sha256.js";
import { BlobCopy } from "./blob-copy.js";
import type { CacheParts, StagedServices } from "./cache-parts.js";
import { type CacheRequest, type CacheResponse, DONE, headerOf } from "./exchange.js";
import type { NarFileName } from "./nar-file.js";
import { CacheRefusal } from "./refusal.js";
import { RequestBody } from "./request-body.js";

/** How many times its own length an upload may decompress to, once it is above {@link FREE_BYTES}. */
const MAX_RATIO = 1000;
const FREE_BYTES = 1024 * 1024 * 1024;

/**
 * Takes a NAR, compressed or not. What is stored is its tree, which root belongs to the hash of the NAR and
 * of the file, and the file itself where narinfos lead to such: nothing that this process alone would
 * know. Nothing is remembered unless the whole body came and has the hash that it was sent to.
 */
export async function putNarFile(
  parts: CacheParts,
  request: CacheRequest,
  name: NarFileName,
): Promise<CacheResponse> {
  const wanted = compressionOfSuffix(name.suffix);
  if (wanted === undefined) {
    throw new CacheRefusal(415, `NARs that end in ${name.suffix} are not read here`);
  }
  if (headerOf(request, "content-encoding") !== undefined) {
    throw new CacheRefusal(415, "a NAR must be sent without a content-encoding");
  }
  const { maxNarSize } = parts.options;
  const body = new RequestBody(request, maxNarSize);
  const { compression, bytes } = await sniff(body.stream(), wanted);
  // The hash of a NAR that is not compressed is computed anyway.
  const sha256 = compression === "none" ? undefined : createSha256();
  const hashed = sha256 === undefined ? bytes : hashing(bytes, sha256);
  const copy = copyOf(parts, request, compression);
  const file = copy === undefined ? hashed : copying(hashed, copy);
  const stage = parts.stage();
  try {
    const upload = { parts, request, body, stage };
    const nar = await ingest(upload, decompress(compression, file));
    if (!body.ended) {
      throw new CacheRefusal(400, "there is more in the body than one compressed NAR");
    }
    checkHash(sha256?.digest() ?? nar.narSha256, name);
    // They come after all content, and all of it is made durable at once.
    await Promise.all([
      stage.durable(),
      parts.narRoots.put(nar.narSha256, nar),
      equalBytes(nar.narSha256, name.fileSha256)
        ? undefined
        : parts.narRoots.putFile(name.fileSha256, nar.narSha256),
      parts.calculateNar.remember(nar.root, nar),
    ]);
    if (copy !== undefined) await keep(parts, nar, { copy, name, body });
  } finally {
    await copy?.discard();
  }
  return DONE;
}

/** Where to put a copy of a file that is compressed as ours are: then it need not be done again. */
function copyOf(
  { blobs, compressedNars }: CacheParts,
  { signal }: CacheRequest,
  compression: Compression,
): BlobCopy | undefined {
  if (compression === "none" || compressedNars?.compression !== compression) return undefined;
  return new BlobCopy(blobs, { signal });
}

/** Remembers the copy of a file whose NAR was stored and has the right hash. */
async function keep(
  { keptNars, compressedNars }: CacheParts,
  { narSha256 }: IngestedNar,
  { copy, name, body }: { copy: BlobCopy; name: NarFileName; body: RequestBody },
): Promise<void> {
  if (compressedNars === undefined) return;
  const { compression } = compressedNars;
  const blob = await copy.finish();
  const kept = { compression, fileSha256: name.fileSha256, fileSize: body.received, blob };
  await keptNars.put(narSha256, kept, {});
}

async function* copying(
  source: AsyncIterable<Uint8Array>,
  copy: BlobCopy,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of source) {
    await copy.write(chunk);
    yield chunk;
  }
}

/** An upload on its way. */
interface Upload {
  readonly parts: CacheParts;
  readonly request: CacheRequest;
  readonly body: RequestBody;
  readonly stage: StagedServices;
}

async function ingest(
  { parts, request: { signal }, body, stage }: Upload,
  bytes: AsyncIterable<Uint8Array>,
): Promise<IngestedNar> {
  const { maxNarSize } = parts.options;
  try {
    return await ingestNar(stage, limitRatio(bytes, body), { signal, limits: { maxNarSize } });
  } catch (error) {
    if (!(error instanceof NarFormatError)) throw error;
    const status = error.reason === "nar-too-large" ? 413 : 400;
    throw new CacheRefusal(status, error.message, {}, { cause: error });
  }
}

function checkHash(actual: Uint8Array, { fileSha256, hash }: NarFileName): void {
  if (equalBytes(actual, fileSha256)) return;
  throw new CacheRefusal(400, `the body has the SHA-256 ${encodeNixBase32(actual)}, not ${hash}`);
}

async function* hashing(
  source: AsyncIterable<Uint8Array>,
  sha256: Sha256,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of source) {
    sha256.update(chunk);
    yield chunk;
  }
}

/**
 * Finds out how a body is compressed. Nix has no suffix for gzip, so without one it can be anything;
 * with one it must be that. Brotli cannot be told from its bytes.
 */
async function sniff(
  source: AsyncGenerator<Uint8Array, void, undefined>,
  wanted: Compression,
): Promise<{ readonly compression: Compression; readonly bytes: AsyncIterable<Uint8Array> }> {
  const { compression: found, bytes } = await sniffStream(source);
  if (wanted === "br" || found === wanted) return { compression: wanted, bytes };
  if (wanted === "none") return { compression: found ?? "none", bytes };
  await source.return();
  throw new CacheRefusal(400, `the body is not compressed with ${wanted}, as its name says`);
}

/** Ends an upload that is tiny and large at once, before it has become as large as a NAR may be. */
async function* limitRatio(
  source: AsyncIterable<Uint8Array>,
  body: RequestBody,
): AsyncGenerator<Uint8Array, void, undefined> {
  let length = 0;
  for await (const chunk of source) {
    length += chunk.byteLength;
    if (length > FREE_BYTES && length > MAX_RATIO * body.received) {
      throw new CacheRefusal(
        413,
        `the body decompresses to more than ${MAX_RATIO} times its length`,
      );
    }
    yield chunk;
  }
}
