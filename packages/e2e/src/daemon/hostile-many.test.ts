import { setTimeout as delay } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { blake3, concatBytes } from "@tvix/castore";
import { seededBytes } from "@tvix/castore/testing";
import { BlobService } from "@tvix/protos/castore";
import { Health } from "@tvix/protos/grpc";
import { describe, expect, it } from "vitest";
import { until } from "../cli/until.js";
import { besiege, warningsOf } from "./besiege.js";
import { metric } from "./metric.js";
import { grpcMessage, openSession, startCall } from "./raw-call.js";
import { FLAG, FRAME, frame, grpcHeaders, OPENING, PREFACE, RawConnection } from "./raw-http2.js";
import { startDaemon } from "./start-daemon.js";
import { Stranger } from "./stranger.js";
import { watchProcess } from "./watch-process.js";

const PUT = "/tvix.castore.v1.BlobService/Put";

/** Files that a daemon keeps open once it has seen work: packs, connections of the database. */
const KEPT_FILES = 8;

const IDLE = 1000;
/** What all of them may cost; 48 MiB were seen. */
const IDLE_BYTES = 100 * 1024 * 1024;
const PING = frame(FRAME.ping, 0, 0, Buffer.alloc(8));
const PING_MS = 300;

/** What each of them says at first. */
const GREETINGS: readonly Buffer[] = [
  Buffer.alloc(0),
  PREFACE,
  OPENING,
  // Answered, and then kept for the next one.
  Buffer.from("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"),
];

async function openMany(port: number, count: number): Promise<RawConnection[]> {
  const connections: RawConnection[] = [];
  for (let i = 0; i < count; i++) {
    const connection = await RawConnection.open(port);
    connections.push(connection);
    await connection.send(GREETINGS[i % GREETINGS.length] as Buffer);
  }
  return connections;
}

/** Keeps those of HTTP/2 alive, as far as pings do, until `over` fulfils. */
async function pingUntil(
  over: Promise<unknown>,
  connections: readonly RawConnection[],
): Promise<void> {
  let isOver = false;
  over.then(
    () => {
      isOver = true;
    },
    () => {},
  );
  while (!isOver) {
    for (let i = 2; i < connections.length; i += GREETINGS.length) {
      await connections[i]?.send(PING);
    }
    await Promise.race([over, delay(PING_MS)]);
  }
}

describe("a daemon with a thousand connections that do nothing", () => {
  it("keeps them in little memory and serves others", async () => {
    await using daemon = await startDaemon();
    // Threads and files that the first upload starts are not those of the attack.
    using client = new Stranger(`${daemon.host}:${daemon.port}`);
    await client.writeAll(BlobService.method.put, [{ data: seededBytes(1, 1_000_000) }]);
    const watch = watchProcess(daemon.pid);
    const before = watch.openFiles();
    const attack = async (): Promise<void> => {
      const connections = await openMany(daemon.port, IDLE);
      expect(await metric(daemon, "tvix_connections")).toBeGreaterThanOrEqual(IDLE);
      await pingUntil(delay(2 * PING_MS), connections);
      expect(connections.filter((connection) => connection.isClosed)).toEqual([]);
      for (const connection of connections) connection.destroy();
    };
    await besiege(daemon, attack, { memoryBytes: IDLE_BYTES });
    const limit = before + KEPT_FILES;
    expect(await watch.settledOpenFiles(limit)).toBeLessThanOrEqual(limit);
  });

  it("closes them in the end, pings or not", async () => {
    const timeouts = ["--limit-header-timeout", "2s", "--limit-idle-timeout", "2s"];
    await using daemon = await startDaemon({ args: timeouts });
    const attack = async (): Promise<void> => {
      const connections = await openMany(daemon.port, IDLE);
      const closed = until(() => connections.every((connection) => connection.isClosed));
      await pingUntil(closed, connections);
      await closed;
    };
    await besiege(daemon, attack, { memoryBytes: IDLE_BYTES });
  });
});

describe("a daemon with a limit of connections", () => {
  it("closes one more at once, and serves those that it has", async () => {
    const max = 20;
    await using daemon = await startDaemon({ args: ["--limit-connections", String(max)] });
    using client = new Stranger(`${daemon.host}:${daemon.port}`);
    await client.unary(Health.method.check, {});
    await besiege(daemon, async () => {
      // One connection is ours and one that of the witness.
      const connections = await openMany(daemon.port, 2 * max);
      const closed = () => connections.filter((connection) => connection.isClosed).length;
      await until(() => closed() >= max);
      expect(closed()).toBeLessThanOrEqual(max + 2);
      using late = new Stranger(`${daemon.host}:${daemon.port}`);
      const refused = late.unary(Health.method.check, {}, { deadline: Date.now() + 10_000 });
      await expect(refused).rejects.toMatchObject({ code: status.UNAVAILABLE });
      expect(await client.unary(Health.method.check, {})).toMatchObject({ status: 1 });
      for (const connection of connections) connection.destroy();
    });
    using next = new Stranger(`${daemon.host}:${daemon.port}`);
    expect(await next.unary(Health.method.check, {})).toMatchObject({ status: 1 });
    expect(await metric(daemon, "tvix_connections_refused_total")).toBeGreaterThanOrEqual(max);
  });
});

/** Default of `--limit-streams`, and more than that. */
const STREAMS = 256;
const EXTRA = 44;

/** `count` uploads that have begun. */
function uploads(count: number): Buffer {
  return Buffer.concat(Array.from({ length: count }, (_, i) => grpcHeaders(2 * i + 1, PUT)));
}

const REFUSED_STREAM = 7;

describe("a daemon that is asked for more streams than a connection may have", () => {
  it("refuses the rest, to be tried again, and goes on with the others", async () => {
    await using daemon = await startDaemon();
    await besiege(daemon, async () => {
      using connection = await RawConnection.open(daemon.port);
      await connection.send(OPENING, uploads(STREAMS + EXTRA));
      const resets = () => connection.frames.filter(({ type }) => type === FRAME.resetStream);
      await until(() => resets().length >= EXTRA);
      const codes = resets().map(({ stream, payload }) => [stream, payload.readUInt32BE(0)]);
      expect(codes).toEqual(
        Array.from({ length: EXTRA }, (_, i) => [2 * (STREAMS + i) + 1, REFUSED_STREAM]),
      );
      const ends = Array.from({ length: STREAMS }, (_, i) =>
        frame(FRAME.data, FLAG.endStream, 2 * i + 1),
      );
      await connection.send(...ends);
      const answered = () => connection.frames.filter(({ type }) => type === FRAME.data).length;
      await until(() => answered() >= STREAMS);
      expect(connection.isClosed).toBe(false);
    });
  });

  it("ends the connection of one that knows better", async () => {
    await using daemon = await startDaemon();
    await besiege(daemon, async () => {
      using connection = await RawConnection.open(daemon.port);
      await connection.send(OPENING, frame(FRAME.settings, FLAG.ack, 0));
      await until(() => connection.frames.some(({ type }) => type === FRAME.settings));
      await connection.send(uploads(STREAMS + EXTRA));
      await connection.closed;
      expect(connection.frames.map(({ type }) => type)).toContain(FRAME.goAway);
    });
  });
});

describe("a daemon with a limit of calls", () => {
  it("refuses one more with a status, whatever connection it comes from", async () => {
    const max = 30;
    await using daemon = await startDaemon({ args: ["--limit-calls", String(max)] });
    const sessions = [openSession(daemon.url), openSession(daemon.url)];
    const calls = Array.from({ length: max }, (_, i) =>
      startCall(sessions[i % 2] as (typeof sessions)[0], PUT),
    );
    for (const call of calls) await call.send(grpcMessage(Buffer.of(0x0a, 1, 7)));
    while ((await metric(daemon, "tvix_rpc_running_calls")) < max) await delay(10);
    for (const session of sessions) {
      const call = startCall(session, PUT);
      call.stream.end();
      expect(await call.ended).toMatchObject({
        status: status.RESOURCE_EXHAUSTED,
        message: "the server has too many calls",
      });
    }
    for (const call of calls) call.stream.end();
    for (const call of calls) expect((await call.ended).status).toBe(status.OK);
    for (const session of sessions) session.destroy();
    expect(warningsOf(daemon)).toEqual([]);
  });
});

/** The number of the issue. */
const PARALLEL = 200;
const PARALLEL_BYTES = 2_000_000;
const PIECE_BYTES = 100_000;
/**
 * What they may cost, in bytes. Each fills a block of 2 MiB and has one more on its way to the disk; 880 MiB
 * were seen.
 */
const UPLOADS_BYTES = PARALLEL * 8 * 1024 * 1024;

function* pieces(data: Uint8Array): Generator<{ data: Uint8Array }> {
  for (let offset = 0; offset < data.length; offset += PIECE_BYTES) {
    yield { data: data.subarray(offset, offset + PIECE_BYTES) };
  }
}

describe("a daemon with two hundred uploads at the same time", () => {
  it.each([
    ["on one connection", 1],
    ["on a connection each", PARALLEL],
  ])("stores all of them, %s", async (_, connections) => {
    await using daemon = await startDaemon();
    const address = `${daemon.host}:${daemon.port}`;
    const clients = Array.from({ length: connections }, () => new Stranger(address));
    const contents = Array.from({ length: PARALLEL }, (_, i) => seededBytes(i, PARALLEL_BYTES));
    const attack = async (): Promise<void> => {
      const answers = contents.map((content, i) => {
        const client = clients[i % clients.length] as Stranger;
        return client.writeAll(BlobService.method.put, pieces(content));
      });
      const digests = (await Promise.all(answers)).map(({ digest }) => digest);
      expect(digests).toEqual(contents.map((content) => blake3(content).toBytes()));
      for (const [i, digest] of digests.entries()) {
        const client = clients[i % clients.length] as Stranger;
        const messages = await client.readAll(BlobService.method.read, { digest });
        const read = concatBytes(messages.map((message) => message.data));
        expect(Buffer.compare(read, contents[i] as Uint8Array)).toBe(0);
      }
    };
    await besiege(daemon, attack, { memoryBytes: UPLOADS_BYTES });
    for (const client of clients) client.close();
  });
});
