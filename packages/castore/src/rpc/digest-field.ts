import { Code, ConnectError } from "@connectrpc/connect";
import { B3Digest, DIGEST_LENGTH } from "../digest.js";

/**
 * The digest in a field of a request.
 *
 * @throws ConnectError "invalid digest length" with code InvalidArgument, as tvix has it
 */
export function digestField(bytes: Uint8Array): B3Digest {
  if (bytes.byteLength !== DIGEST_LENGTH) {
    throw new ConnectError(
      `invalid digest length: expected ${DIGEST_LENGTH} bytes, got ${bytes.byteLength}`,
      Code.InvalidArgument,
    );
  }
  return B3Digest.fromBytes(bytes);
}
