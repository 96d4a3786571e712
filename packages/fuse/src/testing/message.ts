import { concatBytes } from "@tvix/castore";

/** Header and body of a request, as linux/fuse.h lays them out. */
export interface RequestFields {
  readonly opcode: number;
  readonly nodeId?: number | bigint;
  readonly unique?: number | bigint;
  readonly uid?: number;
  readonly gid?: number;
  readonly pid?: number;
  readonly body?: Uint8Array;
  /** In place of the true length. */
  readonly length?: number;
  /** Extensions, a multiple of 8 bytes. */
  readonly extensions?: Uint8Array;
}

/** An answer taken apart. */
export interface ReplyFields {
  readonly length: number;
  /** 0, or an error number as in ERRNO. */
  readonly errno: number;
  readonly unique: bigint;
  readonly body: Uint8Array;
}

/** The bytes of a request. */
export function requestMessage(fields: RequestFields): Uint8Array {
  const body = fields.body ?? new Uint8Array();
  const extensions = fields.extensions ?? new Uint8Array();
  const header = layout(
    u32(fields.length ?? 40 + body.byteLength + extensions.byteLength),
    u32(fields.opcode),
    u64(fields.unique ?? 2),
    u64(fields.nodeId ?? 1),
    u32(fields.uid ?? 1000),
    u32(fields.gid ?? 100),
    u32(fields.pid ?? 4321),
    u32(extensions.byteLength / 8),
  );
  return concatBytes([header, body, extensions]);
}

/** @throws RangeError for fewer bytes than a header has */
export function parseReply(bytes: Uint8Array): ReplyFields {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    length: view.getUint32(0, true),
    errno: 0 - view.getInt32(4, true),
    unique: view.getBigUint64(8, true),
    body: bytes.subarray(16),
  };
}

/** Fields of a message one after the other. */
export function layout(...fields: readonly Uint8Array[]): Uint8Array {
  return concatBytes(fields);
}

/** Four bytes. */
export function u32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

/** Eight bytes. */
export function u64(value: number | bigint): Uint8Array {
  return new Uint8Array(BigUint64Array.of(BigInt(value)).buffer);
}

/** The bytes of a text, with a NUL behind them. */
export function cString(text: string): Uint8Array {
  return new TextEncoder().encode(`${text}\0`);
}

/** The body of READ, READDIR and READDIRPLUS, fuse_read_in. */
export function readBody(size: number, offset: number | bigint = 0, handle = 0): Uint8Array {
  return layout(u64(handle), u64(offset), u32(size), u32(0), u64(0), u32(0), u32(0));
}
