import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import {
  type B3Digest,
  type BlobService,
  blake3,
  concatBytes,
  equalBytes,
  readBlob,
} from "@tvix/castore";
import { seededBytes } from "@tvix/castore/testing";
import { BlobService as BlobServiceDesc } from "@tvix/protos/castore";
import type { Stranger } from "../daemon/stranger.js";
import { FOREIGN_UNAVAILABLE, UNAVAILABLE, type Upload } from "./upload.js";

/** Pieces in which long blobs are handed over. */
const PIECE_BYTES = 64 * 1024;

/** Longest time in which a client that is not ours finds the server again, in milliseconds: generous. */
const RECONNECT_MS = 60_000;

/** A blob from a client of ours, in pieces: a long one is cut into chunks there. */
export function streamedBlob(service: BlobService, seed: number, bytes: number): Upload {
  return {
    about: `blob ${seed}, streamed by our client`,
    unavailable: UNAVAILABLE,
    bytes,
    async send(onSent) {
      const content = seededBytes(seed, bytes);
      expectDigest(await service.put(piecesOf(content, onSent)), blake3(content));
    },
    isStored: () => isBlobStored(service, seededBytes(seed, bytes)),
  };
}

/** Many small blobs from a client of ours, in one call, the last of them not that small. */
export function manyBlobs(service: BlobService, seed: number, lengths: readonly number[]): Upload {
  const contents = () => lengths.map((length, i) => seededBytes(seed + i, length));
  const bytes = lengths.reduce((sum, length) => sum + length, 0);
  return {
    about: `${lengths.length} blobs from ${seed} on, by our client`,
    unavailable: UNAVAILABLE,
    bytes,
    async send(onSent) {
      const blobs = contents();
      const answer = service.putMany(blobs);
      onSent(bytes);
      for (const [i, digest] of (await answer).entries()) {
        expectDigest(digest, blake3(blobs[i] as Uint8Array));
      }
    },
    async isStored() {
      const found = await Promise.all(contents().map((content) => isBlobStored(service, content)));
      return found.every((isFound) => isFound);
    },
  };
}

/** A blob from a client that is not ours. */
export function foreignBlob(stranger: Stranger, seed: number, bytes: number): Upload {
  return {
    about: `blob ${seed}, by grpc-js`,
    unavailable: FOREIGN_UNAVAILABLE,
    bytes,
    async send(onSent) {
      const content = seededBytes(seed, bytes);
      const messages = messagesOf(piecesOf(content, onSent));
      const { digest } = await stranger.writeAll(BlobServiceDesc.method.put, messages);
      if (!blake3(content).equalsBytes(digest)) throw new Error("Another digest was answered");
    },
    async isStored() {
      const content = seededBytes(seed, bytes);
      const stored = await readForeign(stranger, blake3(content));
      return stored !== undefined && sameBytes(stored, content);
    },
  };
}

async function isBlobStored(service: BlobService, content: Uint8Array): Promise<boolean> {
  const stored = await readBlob(service, blake3(content), { maxBytes: content.byteLength });
  return stored !== undefined && sameBytes(stored, content);
}

/** Waits until the client has found the server again, as gRPC clients may, rather than failing. */
async function readForeign(stranger: Stranger, digest: B3Digest): Promise<Uint8Array | undefined> {
  const metadata = new Metadata({ waitForReady: true });
  const request = { digest: digest.toBytes() };
  try {
    const { read } = BlobServiceDesc.method;
    const deadline = Date.now() + RECONNECT_MS;
    const messages = await stranger.readAll(read, request, { metadata, deadline });
    return concatBytes(messages.map((message) => message.data));
  } catch (error) {
    if (isServiceError(error) && error.code === status.NOT_FOUND) return undefined;
    throw error;
  }
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error;
}

function sameBytes(stored: Uint8Array, expected: Uint8Array): true {
  if (equalBytes(stored, expected)) return true;
  throw new Error(`Other bytes are stored under ${blake3(expected)}`);
}

function expectDigest(answered: B3Digest, expected: B3Digest): void {
  if (!answered.equals(expected)) throw new Error(`${answered} was answered for ${expected}`);
}

function* piecesOf(content: Uint8Array, onSent: (bytes: number) => void): Generator<Uint8Array> {
  for (let offset = 0; offset < content.byteLength; offset += PIECE_BYTES) {
    const piece = content.subarray(offset, offset + PIECE_BYTES);
    yield piece;
    onSent(piece.byteLength);
  }
}

function* messagesOf(pieces: Iterable<Uint8Array>): Generator<{ data: Uint8Array }> {
  for (const data of pieces) yield { data };
}
