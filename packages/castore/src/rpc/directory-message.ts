/**
 * Directory as the message of `tvix.castore.v1`, and back.
 *
 * A message that came over the wire has lost how it was encoded, and unknown fields are not looked at:
 * it stands for the Directory that its known fields describe, as in tvix. The digest is always that of
 * the canonical encoding.
 */
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { DirectorySchema, type Directory as ProtoDirectory } from "@tvix/protos/castore";
import type { Directory } from "../nodes/directory.js";
import { decodeDirectory } from "../wire/directory-codec.js";
import { digestDirectory } from "../wire/directory-digest.js";

/** The message for `directory`. It shares memory with the encoding that is kept: not to be written to. */
export function directoryToMessage(directory: Directory): ProtoDirectory {
  return fromBinary(DirectorySchema, digestDirectory(directory).encoded);
}

/**
 * The Directory that `message` describes.
 *
 * @throws {@link InvalidDirectoryError} with the reason
 */
export function directoryFromMessage(message: ProtoDirectory): Directory {
  return decodeDirectory(toBinary(DirectorySchema, message, { writeUnknownFields: false }));
}
