/**
 * Messages of vhost-user. All numbers have their lowest byte first.
 *
 *     header   request u32 | flags u32 | payload length u32
 *     u64      value u64
 *     state    queue u32 | value u32
 *     address  queue u32 | flags u32 | descriptors u64 | used u64 | available u64 | log u64
 *     table    regions u32 | padding u32 | region...
 *     slot     padding u64 | region
 *     region   guest address u64 | size u64 | user address u64 | offset in the file u64
 *
 * Only the form is checked here; what a queue number or an address stands for is not.
 */
import {
  HEADER_LENGTH,
  MAX_PAYLOAD_LENGTH,
  MAX_TABLE_REGIONS,
  MESSAGE_FLAG,
  REQUEST,
  VRING_INDEX_MASK,
  VRING_NO_FD,
} from "./vhost-user-protocol.js";
import { VirtiofsError } from "./virtiofs-error.js";

/** What comes before the payload. */
export interface MessageHeader {
  readonly request: number;
  /** The front-end waits for an answer, also to requests that have none of their own. */
  readonly needsReply: boolean;
  /** At most {@link MAX_PAYLOAD_LENGTH}. */
  readonly payloadLength: number;
}

/** A piece of the memory of a guest, in a file. */
export interface RegionDescription {
  /** Where the guest sees it. */
  readonly guestAddress: bigint;
  /** In bytes. */
  readonly size: bigint;
  /** Where the front-end sees it: addresses of rings are given so. */
  readonly userAddress: bigint;
  /** Where it begins in its file. */
  readonly fileOffset: bigint;
}

/** A request without its files. */
export type FrontendRequest =
  | { readonly kind: "plain" }
  | { readonly kind: "features"; readonly features: bigint }
  | { readonly kind: "state"; readonly queue: number; readonly value: number }
  | { readonly kind: "file"; readonly queue: number; readonly hasFile: boolean }
  | RingAddresses
  | { readonly kind: "regions"; readonly regions: readonly RegionDescription[] };

/** Where the three parts of a ring are, as the front-end sees them. */
export interface RingAddresses {
  readonly kind: "addresses";
  readonly queue: number;
  readonly flags: number;
  readonly descriptors: bigint;
  readonly used: bigint;
  readonly available: bigint;
}

type Decode = (payload: DataView, name: string) => FrontendRequest;

const DECODERS: ReadonlyMap<number, readonly [string, Decode]> = new Map([
  [REQUEST.GET_FEATURES, ["GET_FEATURES", decodePlain]],
  [REQUEST.SET_FEATURES, ["SET_FEATURES", decodeFeatures]],
  [REQUEST.SET_OWNER, ["SET_OWNER", decodePlain]],
  [REQUEST.RESET_OWNER, ["RESET_OWNER", decodePlain]],
  [REQUEST.SET_MEM_TABLE, ["SET_MEM_TABLE", decodeTable]],
  [REQUEST.SET_VRING_NUM, ["SET_VRING_NUM", decodeState]],
  [REQUEST.SET_VRING_ADDR, ["SET_VRING_ADDR", decodeAddresses]],
  [REQUEST.SET_VRING_BASE, ["SET_VRING_BASE", decodeState]],
  [REQUEST.GET_VRING_BASE, ["GET_VRING_BASE", decodeState]],
  [REQUEST.SET_VRING_KICK, ["SET_VRING_KICK", decodeFile]],
  [REQUEST.SET_VRING_CALL, ["SET_VRING_CALL", decodeFile]],
  [REQUEST.SET_VRING_ERR, ["SET_VRING_ERR", decodeFile]],
  [REQUEST.GET_PROTOCOL_FEATURES, ["GET_PROTOCOL_FEATURES", decodePlain]],
  [REQUEST.SET_PROTOCOL_FEATURES, ["SET_PROTOCOL_FEATURES", decodeFeatures]],
  [REQUEST.GET_QUEUE_NUM, ["GET_QUEUE_NUM", decodePlain]],
  [REQUEST.SET_VRING_ENABLE, ["SET_VRING_ENABLE", decodeState]],
  [REQUEST.GET_MAX_MEM_SLOTS, ["GET_MAX_MEM_SLOTS", decodePlain]],
  [REQUEST.ADD_MEM_REG, ["ADD_MEM_REG", decodeSlot]],
  [REQUEST.REM_MEM_REG, ["REM_MEM_REG", decodeSlot]],
]);

/** Name of a request for messages. */
export function requestName(request: number): string {
  return DECODERS.get(request)?.[0] ?? `request ${request}`;
}

/**
 * Decodes the first {@link HEADER_LENGTH} bytes of a message.
 *
 * @throws {@link VirtiofsError} for another version, an answer, or a payload that is too long
 */
export function decodeHeader(bytes: Uint8Array): MessageHeader {
  const view = viewOf(bytes);
  const request = view.getUint32(0, true);
  const flags = view.getUint32(4, true);
  const payloadLength = view.getUint32(8, true);
  if ((flags & MESSAGE_FLAG.VERSION_MASK) !== MESSAGE_FLAG.VERSION) {
    throw bad(request, `version ${flags & MESSAGE_FLAG.VERSION_MASK} of the protocol`);
  }
  if ((flags & MESSAGE_FLAG.REPLY) !== 0) throw bad(request, "it is an answer");
  if (payloadLength > MAX_PAYLOAD_LENGTH) {
    throw bad(request, `${payloadLength} bytes of payload, at most ${MAX_PAYLOAD_LENGTH}`);
  }
  return { request, needsReply: (flags & MESSAGE_FLAG.NEED_REPLY) !== 0, payloadLength };
}

/**
 * Decodes what follows the header.
 *
 * @returns `undefined` for a request that is not known
 * @throws {@link VirtiofsError} for a payload of another length than its request has
 */
export function decodeRequest(request: number, payload: Uint8Array): FrontendRequest | undefined {
  const entry = DECODERS.get(request);
  return entry?.[1](viewOf(payload), entry[0]);
}

/** An answer with a number of 64 bits. */
export function encodeNumberReply(request: number, value: bigint): Uint8Array {
  const bytes = new Uint8Array(HEADER_LENGTH + 8);
  encodeHeader(bytes, request).setBigUint64(HEADER_LENGTH, value, true);
  return bytes;
}

/** The answer to GET_VRING_BASE. */
export function encodeStateReply(request: number, queue: number, value: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_LENGTH + 8);
  const view = encodeHeader(bytes, request);
  view.setUint32(HEADER_LENGTH, queue, true);
  view.setUint32(HEADER_LENGTH + 4, value, true);
  return bytes;
}

function encodeHeader(bytes: Uint8Array, request: number): DataView {
  const view = viewOf(bytes);
  view.setUint32(0, request, true);
  view.setUint32(4, MESSAGE_FLAG.VERSION | MESSAGE_FLAG.REPLY, true);
  view.setUint32(8, bytes.length - HEADER_LENGTH, true);
  return view;
}

// Front-ends send payloads with these now and then (QEMU a number with GET requests): nothing is in them.
function decodePlain(): FrontendRequest {
  return { kind: "plain" };
}

function decodeFeatures(payload: DataView, name: string): FrontendRequest {
  checkLength(payload, 8, name);
  return { kind: "features", features: payload.getBigUint64(0, true) };
}

function decodeState(payload: DataView, name: string): FrontendRequest {
  checkLength(payload, 8, name);
  return { kind: "state", queue: payload.getUint32(0, true), value: payload.getUint32(4, true) };
}

function decodeFile(payload: DataView, name: string): FrontendRequest {
  checkLength(payload, 8, name);
  const value = payload.getBigUint64(0, true);
  const hasFile = (value & VRING_NO_FD) === 0n;
  return { kind: "file", queue: Number(value & VRING_INDEX_MASK), hasFile };
}

function decodeAddresses(payload: DataView, name: string): FrontendRequest {
  checkLength(payload, 40, name);
  return {
    kind: "addresses",
    queue: payload.getUint32(0, true),
    flags: payload.getUint32(4, true),
    descriptors: payload.getBigUint64(8, true),
    used: payload.getBigUint64(16, true),
    available: payload.getBigUint64(24, true),
  };
}

function decodeTable(payload: DataView, name: string): FrontendRequest {
  if (payload.byteLength < 8) checkLength(payload, 8, name);
  const count = payload.getUint32(0, true);
  if (count > MAX_TABLE_REGIONS) {
    throw new VirtiofsError("message", `Cannot take ${name}: ${count} regions of memory`);
  }
  // Some front-ends send the whole table, with the rest of it unused.
  if (payload.byteLength !== MAX_PAYLOAD_LENGTH) checkLength(payload, 8 + count * 32, name);
  const regions = Array.from({ length: count }, (_, i) => decodeRegion(payload, 8 + i * 32));
  return { kind: "regions", regions };
}

function decodeSlot(payload: DataView, name: string): FrontendRequest {
  checkLength(payload, 40, name);
  return { kind: "regions", regions: [decodeRegion(payload, 8)] };
}

function decodeRegion(payload: DataView, offset: number): RegionDescription {
  return {
    guestAddress: payload.getBigUint64(offset, true),
    size: payload.getBigUint64(offset + 8, true),
    userAddress: payload.getBigUint64(offset + 16, true),
    fileOffset: payload.getBigUint64(offset + 24, true),
  };
}

function checkLength(payload: DataView, length: number, name: string): void {
  if (payload.byteLength === length) return;
  throw new VirtiofsError(
    "message",
    `Cannot take ${name}: ${payload.byteLength} bytes of payload, not ${length}`,
  );
}

function bad(request: number, what: string): VirtiofsError {
  return new VirtiofsError("message", `Cannot take ${requestName(request)}: ${what}`);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
