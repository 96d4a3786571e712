import { create, toBinary } from "@bufbuild/protobuf";
import { seededBytes } from "@tvix/castore/testing";
import {
  BlobService,
  DirectoryService,
  GetDirectoryRequestSchema,
  ReadBlobRequestSchema,
} from "@tvix/protos/castore";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { until } from "../cli/until.js";
import { besiege } from "./besiege.js";
import { metric } from "./metric.js";
import { grpcMessage } from "./raw-call.js";
import {
  FLAG,
  FRAME,
  frame,
  grpcHeaders,
  OPENING,
  PREFACE,
  RawConnection,
  uint32,
} from "./raw-http2.js";
import { type Daemon, startDaemon } from "./start-daemon.js";
import { Stranger } from "./stranger.js";
import { watchProcess } from "./watch-process.js";
import { wideClosure } from "./wide-closure.js";

const READ = "/tvix.castore.v1.BlobService/Read";
const GET = "/tvix.castore.v1.DirectoryService/Get";

/** Short, so that tests need not wait long, but longer than both cores may be busy with other things. */
const TIMEOUTS = ["--limit-stall-timeout", "2s", "--limit-idle-timeout", "2s"];

/** Much more than all windows and buffers on the way hold. */
const BLOB_BYTES = 64_000_000;
const CHILDREN = 5_000;
const TARGET_BYTES = 4_000;

const CLIENTS = 20;
/** Downloads of each client. */
const CALLS = 4;

/**
 * What all downloads may cost that are stuck, in bytes. Each holds the chunks that were read ahead, of up to
 * 512 KiB; 2.3 MiB were seen.
 */
const DOWNLOADS_BYTES = CLIENTS * CALLS * 5 * 1024 * 1024;

const ACCEPTED = "tvix_connections_total";

/** Files that a daemon keeps open once it has seen work: packs, connections of the database. */
const KEPT_FILES = 8;

let daemon: Daemon;
/** The calls, as messages of gRPC. */
let requests: readonly (readonly [string, Buffer])[];

beforeAll(async () => {
  // Before the client connects: it would be idle for too long meanwhile.
  const closure = wideClosure(CHILDREN, TARGET_BYTES);
  daemon = await startDaemon({ args: TIMEOUTS });
  using client = new Stranger(`${daemon.host}:${daemon.port}`);
  const pieces = Array.from({ length: BLOB_BYTES / 1_000_000 }, (_, i) => ({
    data: seededBytes(i, 1_000_000),
  }));
  const blob = await client.writeAll(BlobService.method.put, pieces);
  await client.writeAll(DirectoryService.method.put, closure.messages);
  const read = create(ReadBlobRequestSchema, { digest: blob.digest });
  const get = create(GetDirectoryRequestSchema, {
    byWhat: { case: "digest", value: closure.root.toBytes() },
    recursive: true,
  });
  requests = [
    [READ, grpcMessage(toBinary(ReadBlobRequestSchema, read))],
    [GET, grpcMessage(toBinary(GetDirectoryRequestSchema, get))],
  ];
});

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]();
});

/** The preface, with a window for everything: 2^31-1 bytes for each stream and for the connection. */
const WIDE_OPENING = Buffer.concat([
  PREFACE,
  frame(FRAME.settings, 0, 0, Buffer.from("00047fffffff", "hex")),
  frame(FRAME.windowUpdate, 0, 0, uint32(0x7fffffff - 65_535)),
]);

/** The calls of one client, half of them for the blob. */
function calls(): Buffer {
  const parts = Array.from({ length: CALLS }, (_, i) => {
    const [path, message] = requests[i % requests.length] as (typeof requests)[0];
    const stream = 2 * i + 1;
    return [grpcHeaders(stream, path), frame(FRAME.data, FLAG.endStream, stream, message)];
  });
  return Buffer.concat(parts.flat());
}

/** A download over HTTP/1.1. */
function webCall(i: number): Buffer {
  const [path, message] = requests[i % requests.length] as (typeof requests)[0];
  const head = `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/grpc-web+proto\r\n`;
  return Buffer.concat([Buffer.from(`${head}content-length: ${message.length}\r\n\r\n`), message]);
}

const READERS: readonly (readonly [string, boolean, (i: number) => Buffer])[] = [
  ["give no window", true, () => Buffer.concat([OPENING, calls()])],
  ["have a window and read nothing", false, () => Buffer.concat([WIDE_OPENING, calls()])],
  ["read nothing of HTTP/1.1", false, webCall],
];

describe("a daemon with twenty clients that ask for much", () => {
  it.each(READERS)("cuts those that %s", async (_, reads, opening) => {
    const watch = watchProcess(daemon.pid);
    const limit = watch.openFiles() + KEPT_FILES;
    const accepted = await metric(daemon, ACCEPTED);
    const connections: RawConnection[] = [];
    const attack = async (): Promise<void> => {
      for (let i = 0; i < CLIENTS; i++) {
        const connection = await RawConnection.open(daemon.port, 0);
        if (!reads) connection.socket.pause();
        connections.push(connection);
        await connection.send(opening(i));
      }
      await until(async () => (await metric(daemon, ACCEPTED)) >= accepted + CLIENTS);
      // The daemon ends them: this side keeps them open all the time.
      expect(await watch.settledOpenFiles(limit)).toBeLessThanOrEqual(limit);
    };
    await besiege(daemon, attack, { memoryBytes: DOWNLOADS_BYTES });
    for (const connection of connections) connection.destroy();
  });
});
