import { type B3Digest, type BlobReader, type CallOptions, CastoreError } from "@tvix/castore";
import { encodeNixBase32 } from "../nixbase32.js";
import type { Content } from "./content.js";

/** A blob as something that is sent, whole or in part. */
export function blobContent(
  reader: BlobReader,
  digest: B3Digest,
  { signal, ...head }: Pick<Content, "type" | "cacheControl"> & CallOptions,
): Content {
  return {
    ...head,
    size: reader.size,
    etag: `"${encodeNixBase32(digest.toBytes())}"`,
    stream: ({ start, end }) => stream(reader, { start, end }, signal),
  };
}

async function* stream(
  reader: BlobReader,
  { start, end }: { readonly start: number; readonly end: number },
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const options = signal === undefined ? {} : { signal };
  let length = 0;
  for await (const chunk of reader.stream({ offset: start, length: end - start }, options)) {
    length += chunk.byteLength;
    yield chunk;
  }
  if (length === end - start) return;
  // The length has been announced: whoever sends this must not end as if all had come.
  throw new CastoreError("CORRUPT", `Cannot read a blob: got ${length} of ${end - start} bytes`);
}
