import { expect } from "vitest";
import type { BlobService, ByteRange } from "../blobservice/blob-service.js";
import { concatBytes, toHex } from "../bytes.js";
import type { B3Digest } from "../digest.js";
import { collect } from "./sources.js";

/** Fails unless both hold the same bytes; quick for megabytes, where `toEqual` takes minutes. */
export function expectSameBytes(actual: Uint8Array, expected: Uint8Array): void {
  const at = actual.findIndex((byte, i) => byte !== expected[i]);
  if (at !== -1) {
    const part = (bytes: Uint8Array): string => toHex(bytes.subarray(at, at + 16));
    expect.fail(`Bytes differ from ${at} on: ${part(actual)} instead of ${part(expected)}`);
  }
  expect(actual.byteLength).toBe(expected.byteLength);
}

/**
 * The bytes of a blob that must be there, after checks of what every stream must keep to: plain
 * arrays, and as many bytes as the reader says.
 */
export async function readAll(
  service: BlobService,
  digest: B3Digest,
  range?: ByteRange,
): Promise<Uint8Array> {
  const reader = await service.openRead(digest);
  if (reader === undefined) expect.fail(`Blob ${digest} is not stored`);
  const chunks = await collect(reader.stream(range));
  for (const chunk of chunks) expect(Object.getPrototypeOf(chunk)).toBe(Uint8Array.prototype);
  const bytes = concatBytes(chunks);
  if (range === undefined) expect(bytes.byteLength).toBe(reader.size);
  return bytes;
}

/** Fails unless the service does not have the blob at all. */
export async function expectAbsent(service: BlobService, digest: B3Digest): Promise<void> {
  expect(await service.has(digest)).toBe(false);
  expect(await service.hasMany([digest])).toEqual([false]);
  expect(await service.openRead(digest)).toBeUndefined();
  expect(await service.chunks(digest)).toBeUndefined();
}
