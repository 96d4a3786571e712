import { Code, ConnectError } from "@connectrpc/connect";
import type { B3Digest } from "../digest.js";

/** The error for a blob that is not stored, as tvix has it. */
export function notFound(digest: B3Digest): ConnectError {
  return new ConnectError(`blob ${digest} not found`, Code.NotFound);
}
