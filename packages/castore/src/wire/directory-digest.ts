import type { B3Digest } from "../digest.js";
import { blake3 } from "../hasher/blake3.js";
import type { Directory } from "../nodes/directory.js";
import { encodeDirectory } from "./directory-codec.js";

/**
 * The digest that a node which refers to `directory` carries: BLAKE3 of its canonical encoding.
 *
 * @throws {@link InvalidDirectoryError} with reason "too-large"
 */
export function directoryDigest(directory: Directory): B3Digest {
  return blake3(encodeDirectory(directory));
}
