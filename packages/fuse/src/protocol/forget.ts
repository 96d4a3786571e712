import { bodySize, type RequestBody } from "./body.js";
import { readUint32, readUint64, TOO_LARGE } from "./numbers.js";

const FORGET_SIZE = 8;
const BATCH_HEADER_SIZE = 8;
const BATCH_ITEM_SIZE = 16;

/** Takes back `lookups` of the lookups that were answered with a node id. */
export type Forget = (nodeId: number, lookups: number) => void;

/** Decodes FORGET, fuse_forget_in: `nlookup: u64`. One that is malformed is passed over: it has no answer. */
export function decodeForget(body: RequestBody, nodeId: number, forget: Forget): void {
  if (bodySize(body) !== FORGET_SIZE) return;
  forgetOne(nodeId, readUint64(body.bytes, body.start), forget);
}

/**
 * Decodes BATCH_FORGET: fuse_batch_forget_in, `count, dummy: u32`, and fuse_forget_one, `nodeid, nlookup: u64`,
 * as often as it says. One that is malformed is passed over as a whole.
 */
export function decodeBatchForget(body: RequestBody, forget: Forget): void {
  const size = bodySize(body);
  if (size < BATCH_HEADER_SIZE) return;
  const { bytes, start, end } = body;
  if (size - BATCH_HEADER_SIZE !== readUint32(bytes, start) * BATCH_ITEM_SIZE) return;
  for (let at = start + BATCH_HEADER_SIZE; at < end; at += BATCH_ITEM_SIZE) {
    forgetOne(readUint64(bytes, at), readUint64(bytes, at + 8), forget);
  }
}

function forgetOne(nodeId: number, lookups: number, forget: Forget): void {
  if (nodeId !== TOO_LARGE && lookups !== TOO_LARGE && lookups > 0) forget(nodeId, lookups);
}
