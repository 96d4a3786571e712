import { copyBytes } from "../bytes.js";
import type { B3Digest } from "../digest.js";
import { blake3 } from "../hasher/blake3.js";
import type { Directory } from "../nodes/directory.js";
import { decodeDirectory, encodeDirectory } from "./directory-codec.js";

/** The canonical encoding of a Directory, and its digest. */
export interface DigestedDirectory {
  readonly digest: B3Digest;
  /** Shared by all who ask; never to be written to. */
  readonly encoded: Uint8Array;
}

/**
 * What was computed once: on its way into a store a Directory is digested by whoever makes it, by the
 * validator and by the service. It lives as long as the Directory.
 */
const digested = new WeakMap<Directory, DigestedDirectory>();

/**
 * Encodes a Directory and digests the encoding, once for each Directory.
 *
 * @throws {@link InvalidDirectoryError} with reason "too-large"
 */
export function digestDirectory(directory: Directory): DigestedDirectory {
  const known = digested.get(directory);
  if (known !== undefined) return known;
  const encoded = encodeDirectory(directory);
  const result = { digest: blake3(encoded), encoded };
  digested.set(directory, result);
  return result;
}

/**
 * Decodes a Directory that will be digested. Since only what is canonical is decoded, its encoding is known.
 *
 * @param bytes - copied
 * @throws {@link InvalidDirectoryError}
 */
export function decodeDigestedDirectory(bytes: Uint8Array): Directory {
  const directory = decodeDirectory(bytes);
  const encoded = copyBytes(bytes);
  digested.set(directory, { digest: blake3(encoded), encoded });
  return directory;
}

/**
 * The digest that a node which refers to `directory` carries: BLAKE3 of its canonical encoding.
 *
 * @throws {@link InvalidDirectoryError} with reason "too-large"
 */
export function directoryDigest(directory: Directory): B3Digest {
  return digestDirectory(directory).digest;
}
