import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { blake3, concatBytes } from "@tvix/castore";
import { NOWHERE, seededBytes } from "@tvix/castore/testing";
import { BatchService, PutChunkedBlobRequestSchema } from "@tvix/protos/batch";
import { BlobService } from "@tvix/protos/castore";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { besiege } from "./besiege.js";
import { grpcMessage, openSession, startCall } from "./raw-call.js";
import { expectRefusal } from "./refusal.js";
import { type Daemon, startDaemon } from "./start-daemon.js";
import { Stranger } from "./stranger.js";

let daemon: Daemon;
let client: Stranger;

beforeAll(async () => {
  daemon = await startDaemon();
  client = new Stranger(`${daemon.host}:${daemon.port}`);
  await client.unary(BatchService.method.putBlobs, { contents: PIECES });
});

afterAll(async () => {
  client?.close();
  await daemon?.[Symbol.asyncDispose]();
});

type ChunkList = MessageInitShape<typeof PutChunkedBlobRequestSchema>;

/** Stored before each of the tests, as blobs of their own. */
const PIECES = [seededBytes(1, 1000), seededBytes(2, 60_000), seededBytes(3, 7)];
const CHUNKS = PIECES.map((piece) => ({
  digest: blake3(piece).toBytes(),
  size: BigInt(piece.byteLength),
}));
const [FIRST, SECOND] = CHUNKS as [(typeof CHUNKS)[0], (typeof CHUNKS)[0]];
/** What they make up. */
const WHOLE = blake3(concatBytes(PIECES));
const whole = WHOLE.toBytes();
const nowhere = NOWHERE.toBytes();

/** As many as one list may have, and how many go into a message. */
const MAX_CHUNKS = 1_048_576;
const CHUNKS_PER_MESSAGE = 16_384;

function* longList(first: (typeof CHUNKS)[0], length: number): Generator<ChunkList> {
  const chunks = new Array(CHUNKS_PER_MESSAGE).fill(FIRST);
  yield { chunks: [first] };
  for (let left = length - 1; left > 0; left -= CHUNKS_PER_MESSAGE) {
    yield { chunks: chunks.slice(0, left) };
  }
  yield { digest: whole };
}

const LISTS: readonly (readonly [string, () => Iterable<ChunkList>, status, RegExp])[] = [
  [
    "the digest of another blob",
    () => [{ chunks: CHUNKS, digest: nowhere }],
    status.INVALID_ARGUMENT,
    RegExp(`^Cannot store blob ${NOWHERE}: its chunks make up ${WHOLE}$`.replaceAll("+", "\\+")),
  ],
  [
    "the digest of another blob and one chunk",
    () => [{ chunks: [FIRST], digest: nowhere }],
    status.INVALID_ARGUMENT,
    /^Cannot store blob b3:\S+: its chunks make up b3:\S+$/,
  ],
  [
    "chunks in another order",
    () => [{ chunks: CHUNKS.toReversed(), digest: whole }],
    status.INVALID_ARGUMENT,
    /its chunks make up b3:/,
  ],
  [
    "no chunks for a blob that is not empty",
    () => [{ chunks: [], digest: whole }],
    status.INVALID_ARGUMENT,
    /its chunks make up b3:/,
  ],
  [
    "a chunk that is not stored",
    () => [{ chunks: [FIRST, { digest: nowhere, size: 7n }], digest: whole }],
    status.NOT_FOUND,
    /^Cannot store a blob: its chunk b3:\S+ is not stored$/,
  ],
  [
    "a chunk that is longer than is said",
    () => [{ chunks: [FIRST, { ...SECOND, size: 59_999n }], digest: whole }],
    status.INVALID_ARGUMENT,
    /its chunk b3:\S+ has 60000 bytes instead of 59999$/,
  ],
  [
    "a chunk of no bytes",
    () => [{ chunks: [FIRST, { ...SECOND, size: 0n }], digest: whole }],
    status.INVALID_ARGUMENT,
    /^invalid request: a chunk of 0 bytes: expected 1 to 16777216$/,
  ],
  [
    "chunks whose sizes overflow",
    () => [{ chunks: [{ ...FIRST, size: 2n ** 64n - 1n }, SECOND], digest: whole }],
    status.INVALID_ARGUMENT,
    /a chunk of 18446744073709551615 bytes: expected 1 to 16777216$/,
  ],
  [
    "a chunk digest of 31 bytes",
    () => [{ chunks: [FIRST, { ...SECOND, digest: nowhere.subarray(1) }], digest: whole }],
    status.INVALID_ARGUMENT,
    /^invalid digest length: expected 32 bytes, got 31$/,
  ],
  [
    "a digest of 33 bytes",
    () => [{ chunks: CHUNKS, digest: concatBytes([whole, Uint8Array.of(0)]) }],
    status.INVALID_ARGUMENT,
    /^invalid digest length: expected 32 bytes, got 33$/,
  ],
  ["no digest", () => [{ chunks: CHUNKS }], status.INVALID_ARGUMENT, /last message has no digest$/],
  ["no message", () => [], status.INVALID_ARGUMENT, /last message has no digest$/],
  [
    "more after the digest",
    () => [{ chunks: CHUNKS, digest: whole }, { chunks: [FIRST] }],
    status.INVALID_ARGUMENT,
    /a message follows the one with the digest$/,
  ],
  [
    "as many chunks as there may be, the first not stored",
    () => longList({ digest: nowhere, size: 7n }, MAX_CHUNKS),
    status.NOT_FOUND,
    /its chunk b3:\S+ is not stored$/,
  ],
  [
    "one chunk too many",
    () => longList(FIRST, MAX_CHUNKS + 1),
    status.INVALID_ARGUMENT,
    /^invalid request: 1048577 chunks, more than 1048576$/,
  ],
];

describe("PutChunkedBlob", () => {
  it.each(LISTS)("refuses %s, and stores nothing", async (_, list, code, says) => {
    const put = () => client.writeAll(BatchService.method.putChunkedBlob, list());
    await expectRefusal(daemon, client, put, { code, says });
    for (const digest of [whole, nowhere]) {
      const stat = client.unary(BlobService.method.stat, { digest });
      await expect(stat).rejects.toMatchObject({ code: status.NOT_FOUND });
    }
  });
});

/** How long the daemon may work on lists that it would have to refuse, by the deadline of the client. */
const BUSY_SECONDS = 8;
const LISTS_AT_A_TIME = 2;
/** Some 100 MiB were seen for each list, decoded. */
const LISTS_BYTES = LISTS_AT_A_TIME * 200 * 1024 * 1024;
/** Without turns, nobody else was served before the deadline. */
const PATIENCE_MS = 6_000;

describe("a daemon that reads a million chunks to find out", () => {
  it("serves others meanwhile, and stops when nobody waits for it", async () => {
    const part = chunkListMessage({ chunks: new Array(CHUNKS_PER_MESSAGE).fill(FIRST) });
    const session = openSession(daemon.url);
    const attack = async (): Promise<void> => {
      const calls = Array.from({ length: LISTS_AT_A_TIME }, async () => {
        const path = "/tvix.castore.batch.v1.BatchService/PutChunkedBlob";
        const call = startCall(session, path, { "grpc-timeout": `${BUSY_SECONDS}S` });
        for (let sent = 0; sent < MAX_CHUNKS; sent += CHUNKS_PER_MESSAGE) await call.send(part);
        call.stream.end(chunkListMessage({ digest: whole }));
        return await call.ended;
      });
      for (const end of await Promise.all(calls)) {
        expect([status.DEADLINE_EXCEEDED, status.INVALID_ARGUMENT]).toContain(end.status);
      }
    };
    await besiege(daemon, attack, { patienceMs: PATIENCE_MS, memoryBytes: LISTS_BYTES });
    session.destroy();
  });
});

function chunkListMessage(list: ChunkList): Buffer {
  return grpcMessage(
    toBinary(PutChunkedBlobRequestSchema, create(PutChunkedBlobRequestSchema, list)),
  );
}
