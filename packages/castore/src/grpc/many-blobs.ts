/** Many small blobs of a remote service, in few round trips. */
import type { Transport } from "@connectrpc/connect";
import { BatchService } from "@tvix/protos/batch";
import type {
  BlobReader,
  CallOptions,
  OpenBlob,
  OpenManyOptions,
} from "../blobservice/blob-service.js";
import { concatBytes, copyBytes } from "../bytes.js";
import { type B3Digest, joinDigests } from "../digest.js";
import { CastoreError } from "../errors.js";
import { blake3 } from "../hasher/blake3.js";
import { CONTENT_MESSAGE_BYTES, MAX_DIGESTS_PER_CALL, MAX_READ_BLOB_BYTES } from "../rpc/limits.js";
import type { BatchClient } from "./batch-client.js";
import { callServerStream } from "./call.js";
import { mapLimited } from "./map-limited.js";

/** Blobs that are asked for one by one at a time, where the server has no batches or a blob is long. */
const SINGLE_CALLS_IN_FLIGHT = 64;

/** What opens blobs one by one. */
type OpenRead = (digest: B3Digest, options: CallOptions) => Promise<BlobReader | undefined>;

/** {@link BlobService.openMany} of a server: those that come together, and readers of the others. */
export async function openManyBlobs(
  { transport, batch, openRead }: { transport: Transport; batch: BatchClient; openRead: OpenRead },
  digests: readonly B3Digest[],
  options: OpenManyOptions,
): Promise<(OpenBlob | undefined)[]> {
  const inlineBytes = Math.min(options.inlineBytes, MAX_READ_BLOB_BYTES);
  const together: (Uint8Array | undefined)[] = [];
  for (let start = 0; start < digests.length; start += MAX_DIGESTS_PER_CALL) {
    const some = digests.slice(start, start + MAX_DIGESTS_PER_CALL);
    const contents = await batch.readBlobs(options, () =>
      readTogether(transport, some, inlineBytes, options),
    );
    if (contents === undefined) break;
    together.push(...contents);
  }
  const open = async (digest: B3Digest, call: CallOptions): Promise<OpenBlob | undefined> => {
    const reader = await openRead(digest, call);
    if (reader === undefined || reader.size > options.inlineBytes) return reader;
    const parts: Uint8Array[] = [];
    for await (const part of reader.stream({}, call)) parts.push(part);
    return concatBytes(parts);
  };
  const rest = digests.flatMap((_, i) => (together[i] === undefined ? [i] : []));
  const opened = await mapLimited(
    rest,
    SINGLE_CALLS_IN_FLIGHT,
    (i, call) => open(digests[i] as B3Digest, call),
    options,
  );
  const blobs: (OpenBlob | undefined)[] = [...together];
  for (const [k, i] of rest.entries()) blobs[i] = opened[k];
  return blobs;
}

/** What `ReadBlobs` answers, each held against its digest; `undefined` for those that do not come. */
async function readTogether(
  transport: Transport,
  digests: readonly B3Digest[],
  maxBytes: number,
  options: CallOptions,
): Promise<(Uint8Array | undefined)[]> {
  if (digests.length === 0) return [];
  const contents: (Uint8Array | undefined)[] = [];
  const input = { digests: [joinDigests(digests)], maxBytes };
  const { readBlobs } = BatchService.method;
  for await (const message of callServerStream(transport, readBlobs, input, options)) {
    const { lengthsPlusOne, contents: run } = message;
    if (contents.length + lengthsPlusOne.length > digests.length) throw corrupt("too many blobs");
    if (lengthsPlusOne.length === 0) throw corrupt("a message without blobs");
    if (run.byteLength > CONTENT_MESSAGE_BYTES + maxBytes) throw corrupt("more than was asked for");
    let offset = 0;
    for (const lengthPlusOne of lengthsPlusOne) {
      if (lengthPlusOne === 0) {
        contents.push(undefined);
        continue;
      }
      const end = offset + lengthPlusOne - 1;
      if (end - offset > maxBytes) throw corrupt("a longer blob than was asked for");
      if (end > run.byteLength) throw corrupt("fewer bytes than it says");
      const bytes = copyBytes(run.subarray(offset, end));
      offset = end;
      verify(digests[contents.length] as B3Digest, bytes);
      contents.push(bytes);
    }
    if (offset !== run.byteLength) throw corrupt("more bytes than it says");
  }
  if (contents.length === digests.length) return contents;
  throw corrupt(`${contents.length} blobs of ${digests.length}`);
}

function verify(digest: B3Digest, bytes: Uint8Array): void {
  const actual = blake3(bytes);
  if (actual.equals(digest)) return;
  const message = `Cannot read blob ${digest}: the bytes that came are ${actual}`;
  throw new CastoreError("CORRUPT", message);
}

function corrupt(what: string): CastoreError {
  return new CastoreError("CORRUPT", `Cannot read blobs: the server sends ${what}`);
}
