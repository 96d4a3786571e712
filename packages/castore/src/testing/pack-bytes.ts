import { concatBytes, copyBytes } from "../bytes.js";
import { parseRecordHeader, sealRecordHeader } from "../localstore/pack-format.js";

/**
 * The bytes of a pack made of `parts`, one behind the other. Those that begin like a record are
 * completed for their place, as the writer does it; the parts themselves stay as they are.
 */
export function packBytes(identity: Uint8Array, parts: readonly Uint8Array[]): Uint8Array {
  let offset = 0;
  const sealed = parts.map((part) => {
    const bytes = copyBytes(part);
    if (parseRecordHeader(bytes, 0) !== undefined) sealRecordHeader(bytes, { identity, offset });
    offset += bytes.byteLength;
    return bytes;
  });
  return concatBytes(sealed);
}
