import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import type { BlobService, OpenBlob } from "../blobservice/blob-service.js";
import { openBlobs } from "../blobservice/open-blobs.js";
import { concatBytes } from "../bytes.js";
import type { B3Digest } from "../digest.js";
import { whenAll } from "../when-all.js";
import { CONTENT_MESSAGE_BYTES, MAX_READ_BLOB_BYTES, READ_BLOBS_AT_A_TIME } from "./limits.js";

/** A message of `ReadBlobs`. */
interface ReadBlobsMessage {
  readonly lengthsPlusOne: number[];
  readonly contents: Uint8Array;
}

/** Answers `ReadBlobs`: the content of blobs up to `maxBytes`. A few are held in memory at a time. */
export async function* readBlobs(
  blobs: BlobService,
  digests: readonly B3Digest[],
  maxBytes: number,
  { signal }: HandlerContext,
): AsyncGenerator<ReadBlobsMessage, void, undefined> {
  if (maxBytes > MAX_READ_BLOB_BYTES) {
    const what = `blobs of ${maxBytes} bytes, more than ${MAX_READ_BLOB_BYTES}`;
    throw new ConnectError(`invalid request: ${what}`, Code.InvalidArgument);
  }
  let lengthsPlusOne: number[] = [];
  let contents: Uint8Array[] = [];
  let length = 0;
  for (let start = 0; start < digests.length; start += READ_BLOBS_AT_A_TIME) {
    const some = digests.slice(start, start + READ_BLOBS_AT_A_TIME);
    const opened = await openBlobs(blobs, some, { signal, inlineBytes: maxBytes });
    const read = opened.map((blob) => contentUpTo(blob, maxBytes, signal));
    for (const content of await whenAll(read)) {
      lengthsPlusOne.push(content === undefined ? 0 : content.byteLength + 1);
      if (content === undefined) continue;
      contents.push(content);
      length += content.byteLength;
      if (length < CONTENT_MESSAGE_BYTES) continue;
      yield { lengthsPlusOne, contents: concatBytes(contents) };
      lengthsPlusOne = [];
      contents = [];
      length = 0;
    }
  }
  if (lengthsPlusOne.length > 0) yield { lengthsPlusOne, contents: concatBytes(contents) };
}

/** `undefined` for a blob that is missing or longer. */
async function contentUpTo(
  blob: OpenBlob | undefined,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  if (blob instanceof Uint8Array) return blob.byteLength > maxBytes ? undefined : blob;
  if (blob === undefined || blob.size > maxBytes) return undefined;
  const parts: Uint8Array[] = [];
  for await (const part of blob.stream({}, { signal })) parts.push(part);
  return concatBytes(parts);
}
