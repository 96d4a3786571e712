import { gzipSync } from "node:zlib";
import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { besiege } from "./besiege.js";
import { grpcMessage, openSession, type RawEnd, startCall } from "./raw-call.js";
import { type Daemon, startDaemon } from "./start-daemon.js";

const STAT = "/tvix.castore.v1.BlobService/Stat";
const PUT = "/tvix.castore.v1.BlobService/Put";
const PUT_DIRECTORY = "/tvix.castore.v1.DirectoryService/Put";
const PUT_BLOBS = "/tvix.castore.batch.v1.BatchService/PutBlobs";
const FIND_MISSING = "/tvix.castore.batch.v1.BatchService/FindMissingBlobs";

/** Default of `--limit-message-in`. */
const MESSAGE_BYTES = 4 * 1024 * 1024;

/** Calls of each kind, at the same time on some connections. */
const CALLS = 40;
const CONNECTIONS = 4;

/** What all of them may cost, in bytes: each message is held once, and 240 MiB were seen. */
const MESSAGES_BYTES = 3 * CALLS * MESSAGE_BYTES;

let daemon: Daemon;

beforeAll(async () => {
  daemon = await startDaemon();
});

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]();
});

/** Makes the same call {@link CALLS} times; how they ended. */
async function attack(
  path: string,
  body: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Promise<RawEnd[]> {
  const sessions = Array.from({ length: CONNECTIONS }, () => openSession(daemon.url));
  const calls = Array.from({ length: CALLS }, async (_, i) => {
    const call = startCall(sessions[i % CONNECTIONS] as (typeof sessions)[0], path, headers);
    call.stream.end(body);
    return await call.ended;
  });
  const ends = await Promise.all(calls);
  for (const session of sessions) session.destroy();
  return ends;
}

/** A field of a message over and over, until the message is as long as it may be. */
function repeated(field: Uint8Array): Buffer {
  return Buffer.alloc(MESSAGE_BYTES - (MESSAGE_BYTES % field.byteLength), field);
}

/** Field 1, with nothing in it. */
const EMPTY_FIELD = Uint8Array.of(0x0a, 0);

const GZIP = { "grpc-encoding": "gzip" };
/** A quarter of a gigabyte, in a quarter of a megabyte. */
const BOMB = gzipSync(Buffer.alloc(1 << 28));

const MESSAGES: readonly (readonly [string, string, Buffer, status, RegExp])[] = [
  [
    "a digest as long as a message may be",
    STAT,
    Buffer.concat([Buffer.from("0afbffff01", "hex"), Buffer.alloc(MESSAGE_BYTES - 5)]),
    status.INVALID_ARGUMENT,
    /^invalid digest length: expected 32 bytes, got 4194299$/,
  ],
  [
    "two million names that are empty",
    PUT_DIRECTORY,
    repeated(EMPTY_FIELD),
    status.RESOURCE_EXHAUSTED,
    /^Cannot receive message: tvix\.castore\.v1\.Directory with more than 700000 fields$/,
  ],
  [
    "two million blobs that are empty",
    PUT_BLOBS,
    repeated(EMPTY_FIELD),
    status.RESOURCE_EXHAUSTED,
    /PutBlobsRequest with more than 700000 fields$/,
  ],
  [
    "two million digests that are empty",
    FIND_MISSING,
    repeated(EMPTY_FIELD),
    status.RESOURCE_EXHAUSTED,
    /FindMissingBlobsRequest with more than 700000 fields$/,
  ],
  [
    "two million unknown fields",
    STAT,
    repeated(Uint8Array.of(0x78, 1)),
    status.RESOURCE_EXHAUSTED,
    /StatBlobRequest with more than 700000 fields$/,
  ],
];

describe("a daemon that is sent messages of the largest length", () => {
  it.each(MESSAGES)("refuses %s", async (_, path, message, code, says) => {
    expect(message.byteLength).toBeGreaterThan(MESSAGE_BYTES - 10);
    const siege = async (): Promise<void> => {
      for (const end of await attack(path, grpcMessage(message))) {
        expect(end).toMatchObject({ status: code, message: expect.stringMatching(says) });
      }
    };
    await besiege(daemon, siege, { memoryBytes: MESSAGES_BYTES });
  });

  it.each([STAT, PUT, PUT_DIRECTORY])("refuses one byte more, before it came: %s", async (path) => {
    const head = grpcMessage(new Uint8Array(0));
    head.writeUInt32BE(MESSAGE_BYTES + 1, 1);
    await besiege(daemon, async () => {
      for (const end of await attack(path, head)) {
        expect(end).toMatchObject({
          status: status.RESOURCE_EXHAUSTED,
          message: "Cannot receive message: 4194305 bytes, the limit is 4194304",
        });
      }
    });
  });
});

describe("a daemon that is sent compressed messages", () => {
  it.each([STAT, PUT, PUT_DIRECTORY, PUT_BLOBS])("stops at the limit: %s", async (path) => {
    await besiege(daemon, async () => {
      for (const end of await attack(path, grpcMessage(BOMB, true), GZIP)) {
        expect(end).toMatchObject({
          status: status.RESOURCE_EXHAUSTED,
          message: "Cannot receive message: more than 4194304 bytes when decompressed",
        });
      }
    });
  });

  it.each([
    [
      "what is not compressed",
      GZIP,
      Buffer.alloc(100, 0xff),
      status.INVALID_ARGUMENT,
      /decompress/,
    ],
    ["half of it", GZIP, BOMB.subarray(0, 1000), status.INVALID_ARGUMENT, /decompress/],
    ["no name of the method", {}, BOMB, status.INTERNAL, /grpc-encoding/],
    ["an unknown method", { "grpc-encoding": "br" }, BOMB, status.UNIMPLEMENTED, /"br".*gzip/],
  ])("refuses %s", async (_, headers, bytes, code, says) => {
    await besiege(daemon, async () => {
      for (const end of await attack(PUT, grpcMessage(bytes, true), headers)) {
        expect(end).toMatchObject({ status: code, message: expect.stringMatching(says) });
      }
    });
  });

  it.each([
    ["Connect", "application/proto", { "content-encoding": "gzip" }, BOMB],
    ["gRPC-Web", "application/grpc-web+proto", GZIP, grpcMessage(BOMB, true)],
  ])("stops at the limit: %s", async (_, type, encoding, body) => {
    await besiege(daemon, async () => {
      const calls = Array.from({ length: CALLS }, async () => {
        const response = await fetch(`${daemon.url}${STAT}`, {
          method: "POST",
          headers: { "content-type": type, ...encoding },
          body: new Uint8Array(body),
        });
        const text = await response.text();
        return `${response.headers.get("grpc-status")} ${text}`;
      });
      for (const answer of await Promise.all(calls)) {
        expect(answer).toMatch(/resource_exhausted|grpc-status: ?8|^8 /);
      }
    });
  });
});
