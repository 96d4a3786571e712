/**
 * A {@link NarRoot} as it is kept:
 *
 *     size  8 bytes, little endian
 *     node  the encoding of an anonymous node, to the end
 */
import { concatBytes, decodeAnonymousNode, encodeNode, InvalidNodeError } from "@tvix/castore";
import { StoreError } from "../errors.js";
import type { NarRoot } from "./nar-roots.js";

const SIZE_BYTES = 8;

/** @internal */
export function encodeNarRoot({ root, narSize }: NarRoot): Uint8Array {
  const size = new Uint8Array(SIZE_BYTES);
  new DataView(size.buffer).setBigUint64(0, narSize, true);
  return concatBytes([size, encodeNode(root)]);
}

/**
 * @throws {@link StoreError} with code "CORRUPT" for bytes that {@link encodeNarRoot} would not write
 * @internal
 */
export function decodeNarRoot(bytes: Uint8Array): NarRoot {
  if (bytes.byteLength < SIZE_BYTES) {
    throw new StoreError("CORRUPT", `Cannot read the root of a NAR: ${bytes.byteLength} bytes`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const narSize = view.getBigUint64(0, true);
  try {
    return { root: decodeAnonymousNode(bytes.subarray(SIZE_BYTES)), narSize };
  } catch (cause) {
    if (!(cause instanceof InvalidNodeError)) throw cause;
    throw new StoreError("CORRUPT", `Cannot read the root of a NAR: ${cause.message}`, { cause });
  }
}
