import { create, toBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { blake3 } from "@tvix/castore";
import { seededBytes } from "@tvix/castore/testing";
import { BlobChunkSchema, BlobService, DirectoryService } from "@tvix/protos/castore";
import { MaintenanceService } from "@tvix/protos/maintenance";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { besiege, warningsOf } from "./besiege.js";
import { grpcMessage, openSession, type RawCall, startCall } from "./raw-call.js";
import { type Daemon, startDaemon } from "./start-daemon.js";
import { Stranger } from "./stranger.js";
import { watchProcess } from "./watch-process.js";
import { wideClosure } from "./wide-closure.js";

const PUT = "/tvix.castore.v1.BlobService/Put";
const PUT_DIRECTORY = "/tvix.castore.v1.DirectoryService/Put";

/** Far below the default, so that a test need not send a million. */
const MAX_DIRECTORIES = 5_000;
const SETTINGS = ["--limit-stall-timeout", "2s", "--limit-directories", String(MAX_DIRECTORIES)];

/** Files that a daemon keeps open once it has seen work: packs, connections of the database. */
const KEPT_FILES = 8;

let daemon: Daemon;
let client: Stranger;

beforeAll(async () => {
  daemon = await startDaemon({ args: SETTINGS });
  client = new Stranger(`${daemon.host}:${daemon.port}`);
  // Threads and files that the first upload starts are not those of the attacks.
  await client.writeAll(BlobService.method.put, [{ data: seededBytes(1, 1_000_000) }]);
});

afterAll(async () => {
  client?.close();
  await daemon?.[Symbol.asyncDispose]();
});

async function describeStore() {
  return await client.unary(MaintenanceService.method.describe, {});
}

function blobChunk(data: Uint8Array): Buffer {
  return grpcMessage(toBinary(BlobChunkSchema, create(BlobChunkSchema, { data })));
}

/** The same again and again: the store has it after the first time, so the disk is not what is tested. */
const PIECES = Array.from({ length: 16 }, (_, i) => blobChunk(seededBytes(100 + i, 1_000_000)));

/** What all endless uploads send together. */
const ENDLESS_BYTES = 300_000_000;

/** What eight of them may cost, in bytes: each has up to 16 MiB on their way, and 220 MiB were seen. */
const UPLOADS_BYTES = 450 * 1024 * 1024;

/** Sends one piece after another until all have sent enough. */
async function sendWithoutEnd(call: RawCall, budget: { bytes: number }): Promise<void> {
  for (let i = 0; budget.bytes > 0 && !call.isOver; i++) {
    const piece = PIECES[i % PIECES.length] as Buffer;
    budget.bytes -= piece.byteLength;
    await call.send(piece);
  }
}

/** Directories that are all different: a link each. */
function directories(from: number, count: number): Buffer {
  const messages = Array.from({ length: count }, (_, i) => {
    const target = Buffer.from(String(from + i).padStart(10, "0"));
    const link = Buffer.concat([Buffer.from("0a0161120a", "hex"), target]);
    return grpcMessage(Buffer.concat([Buffer.of(0x1a, link.byteLength), link]));
  });
  return Buffer.concat(messages);
}

const BATCH = 500;

describe("a daemon with uploads of blobs that do not end", () => {
  it("takes them in bounded memory, and keeps nothing of them when they are gone", async () => {
    const watch = watchProcess(daemon.pid);
    const filesBefore = watch.openFiles();
    const { chunkedBlobs } = await describeStore();
    const attack = async (): Promise<void> => {
      const sessions = Array.from({ length: 4 }, () => openSession(daemon.url));
      const calls = sessions.flatMap((session) => [
        startCall(session, PUT),
        startCall(session, PUT),
      ]);
      const budget = { bytes: ENDLESS_BYTES };
      await Promise.all(calls.map((call) => sendWithoutEnd(call, budget)));
      expect(calls.map((call) => call.isOver)).not.toContain(true);
      for (const session of sessions) session.destroy();
    };
    await besiege(daemon, attack, { memoryBytes: UPLOADS_BYTES });
    const limit = filesBefore + KEPT_FILES;
    expect(await watch.settledOpenFiles(limit)).toBeLessThanOrEqual(limit);
    expect((await describeStore()).chunkedBlobs).toBe(chunkedBlobs);
  });

  it("cuts those that stop, and keeps nothing of them", async () => {
    const { chunks, chunkedBlobs } = await describeStore();
    const starts = Array.from({ length: 100 }, (_, i) => seededBytes(200 + i, 50_000));
    const session = openSession(daemon.url);
    const calls = starts.map(() => startCall(session, PUT));
    await Promise.all(calls.map((call, i) => call.send(blobChunk(starts[i] as Uint8Array))));
    for (const call of calls) {
      expect(await call.ended).toMatchObject({
        status: status.DEADLINE_EXCEEDED,
        message: "the client did nothing for too long",
      });
    }
    session.destroy();
    for (const start of starts) {
      const stat = client.unary(BlobService.method.stat, { digest: blake3(start).toBytes() });
      await expect(stat).rejects.toMatchObject({ code: status.NOT_FOUND });
    }
    expect(await describeStore()).toMatchObject({ chunks, chunkedBlobs });
    expect(warningsOf(daemon)).toEqual([]);
  });
});

describe("a daemon with uploads of directories that do not end", () => {
  it("refuses more than the limit, and stores nothing", async () => {
    const { directories: stored } = await describeStore();
    await besiege(daemon, async () => {
      const session = openSession(daemon.url);
      const calls = Array.from({ length: 4 }, () => startCall(session, PUT_DIRECTORY));
      await Promise.all(
        calls.map(async (call) => {
          for (let sent = 0; !call.isOver && sent < 10 * MAX_DIRECTORIES; sent += BATCH) {
            await call.send(directories(sent, BATCH));
          }
        }),
      );
      for (const call of calls) {
        expect(await call.ended).toMatchObject({
          status: status.RESOURCE_EXHAUSTED,
          message: `Cannot store directories: more than ${MAX_DIRECTORIES} in one upload`,
        });
      }
      session.destroy();
    });
    expect((await describeStore()).directories).toBe(stored);
  });

  it("refuses the same directory without end", async () => {
    const session = openSession(daemon.url);
    const call = startCall(session, PUT_DIRECTORY);
    const same = Buffer.concat(Array.from({ length: BATCH }, () => directories(0, 1)));
    for (let sent = 0; !call.isOver && sent < 10 * MAX_DIRECTORIES; sent += BATCH) {
      await call.send(same);
    }
    expect(await call.ended).toMatchObject({ status: status.RESOURCE_EXHAUSTED });
    session.destroy();
  });

  it("takes as many as the limit allows", async () => {
    const { messages, root } = wideClosure(MAX_DIRECTORIES - 1, 10);
    const { rootDigest } = await client.writeAll(DirectoryService.method.put, messages);
    expect(root.equalsBytes(rootDigest)).toBe(true);
  });
});
