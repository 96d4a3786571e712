import { setTimeout as delay } from "node:timers/promises";
import { SeededRandom, seededBytes } from "@tvix/castore/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { besiege } from "./besiege.js";
import {
  FLAG,
  FRAME,
  frame,
  grpcHeaders,
  headerBlock,
  OPENING,
  PREFACE,
  RawConnection,
  uint32,
} from "./raw-http2.js";
import { type Daemon, startDaemon } from "./start-daemon.js";
import { watchProcess } from "./watch-process.js";

const SEED = 20_241_123;
/** Short, so that tests need not wait long, but longer than both cores may be busy with other things. */
const TIMEOUTS = [
  "--limit-header-timeout",
  "2s",
  "--limit-idle-timeout",
  "2s",
  "--limit-stall-timeout",
  "2s",
];
const STAT = "/tvix.castore.v1.BlobService/Stat";
const PUT = "/tvix.castore.v1.BlobService/Put";

/** How much of a flood must be enough for the daemon to end it. */
const MAX_FLOOD_BYTES = 40_000_000;
const FLOOD_PIECE_BYTES = 64_000;

/** Beginning of a TLS 1.2 ClientHello, long enough to look like one. */
const CLIENT_HELLO = Buffer.concat([
  Buffer.from("16030100b5010000b10303", "hex"),
  Buffer.from(seededBytes(SEED, 170)),
]);

let daemon: Daemon;

beforeAll(async () => {
  daemon = await startDaemon({ args: TIMEOUTS });
});

afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
});

/** Longer than all timeouts after one another, and the time between two looks at them. */
const LONGEST_MS = 9_000;

/** The names of those that are still open after {@link LONGEST_MS}. */
async function stillOpen(connections: ReadonlyMap<string, RawConnection>): Promise<string[]> {
  const allClosed = Promise.all([...connections.values()].map(({ closed }) => closed));
  await Promise.race([allClosed, delay(LONGEST_MS)]);
  const open = [...connections].filter(([, connection]) => !connection.isClosed);
  for (const [, connection] of open) connection.destroy();
  return open.map(([name]) => name);
}

/** Sends the same again and again until the connection is closed. */
async function flood(connection: RawConnection, make: (i: number) => Buffer): Promise<void> {
  let i = 0;
  for (let sent = 0; sent < MAX_FLOOD_BYTES && !connection.isClosed; ) {
    const parts: Buffer[] = [];
    let size = 0;
    while (size < FLOOD_PIECE_BYTES) {
      const part = make(i++);
      parts.push(part);
      size += part.length;
    }
    await connection.send(...parts);
    sent += size;
  }
}

const NOTHING_TO_SAY: readonly (readonly [string, Buffer])[] = [
  ["nothing at all", Buffer.alloc(0)],
  ["half a preface", PREFACE.subarray(0, 10)],
  ["half a request of HTTP/1.1", Buffer.from("POST /x HTTP/1.1\r\nhost: x\r\nx-y: ")],
  ["a preface alone", PREFACE],
  ["a preface and SETTINGS", OPENING],
  ["half a frame", Buffer.concat([OPENING, grpcHeaders(1, STAT).subarray(0, 20)])],
];

const NONSENSE: readonly (readonly [string, Buffer])[] = [
  ["random bytes", Buffer.from(seededBytes(SEED, 3000))],
  ["zeros", Buffer.alloc(3000)],
  ["a TLS handshake", CLIENT_HELLO],
  ["a megabyte without a line", Buffer.alloc(1_000_000, "a")],
  ["headers of a megabyte", Buffer.from(`GET / HTTP/1.1\r\nx: ${"y".repeat(1_000_000)}\r\n\r\n`)],
  ["garbage before the preface", Buffer.concat([Buffer.from("garbage\r\n"), OPENING])],
  [
    "a preface with one byte wrong",
    Buffer.concat([Buffer.from(PREFACE.toString().replace("SM", "SN")), OPENING]),
  ],
  [
    "random bytes after the preface",
    Buffer.concat([PREFACE, Buffer.from(seededBytes(SEED + 1, 3000))]),
  ],
  [
    "a frame of 16 MB",
    Buffer.concat([OPENING, Buffer.from("ffffff000000000001", "hex"), Buffer.alloc(100_000)]),
  ],
  ["HEADERS on stream 0", Buffer.concat([OPENING, grpcHeaders(0, STAT)])],
  ["HEADERS on an even stream", Buffer.concat([OPENING, grpcHeaders(2, STAT)])],
  [
    "DATA on a stream that is not open",
    Buffer.concat([OPENING, frame(FRAME.data, 0, 5, Buffer.alloc(10))]),
  ],
  ["CONTINUATION of nothing", Buffer.concat([OPENING, frame(FRAME.continuation, 0, 1)])],
  [
    "a window that overflows",
    Buffer.concat([
      OPENING,
      frame(FRAME.windowUpdate, 0, 0, uint32(0x7fffffff)),
      frame(FRAME.windowUpdate, 0, 0, uint32(0x7fffffff)),
    ]),
  ],
  [
    "SETTINGS of five bytes",
    Buffer.concat([PREFACE, frame(FRAME.settings, 0, 0, Buffer.alloc(5))]),
  ],
  [
    "headers that cannot be decompressed",
    Buffer.concat([OPENING, frame(FRAME.headers, FLAG.endHeaders, 1, Buffer.alloc(50, 0xff))]),
  ],
];

const FLOODS: readonly (readonly [string, Buffer, (i: number) => Buffer])[] = [
  ["SETTINGS", OPENING, () => frame(FRAME.settings, 0, 0, Buffer.from("000300000064", "hex"))],
  ["PING", OPENING, (i) => frame(FRAME.ping, 0, 0, Buffer.concat([uint32(i), uint32(i)]))],
  [
    "calls that are reset at once",
    OPENING,
    (i) =>
      Buffer.concat([
        grpcHeaders(2 * i + 1, STAT),
        frame(FRAME.resetStream, 0, 2 * i + 1, uint32(8)),
      ]),
  ],
  [
    "uploads that are reset at once",
    OPENING,
    (i) =>
      Buffer.concat([
        grpcHeaders(2 * i + 1, PUT),
        frame(FRAME.data, 0, 2 * i + 1, Buffer.of(0, 0, 0, 1)),
        frame(FRAME.resetStream, 0, 2 * i + 1, uint32(8)),
      ]),
  ],
  [
    "a header without end",
    Buffer.concat([
      OPENING,
      frame(FRAME.headers, 0, 1, headerBlock({ ":method": "POST", ":path": STAT })),
    ]),
    (i) => frame(FRAME.continuation, 0, 1, headerBlock({ [`x-${i}`]: "y".repeat(1000) })),
  ],
  [
    "empty CONTINUATION",
    Buffer.concat([OPENING, frame(FRAME.headers, 0, 1, headerBlock({ ":method": "POST" }))]),
    () => frame(FRAME.continuation, 0, 1),
  ],
  ["lines of HTTP/1.1", Buffer.from("GET / HTTP/1.1\r\n"), (i) => Buffer.from(`x-${i}: y\r\n`)],
];

/** Floods that the daemon may also just live through: each frame costs as much to send as to take. */
const NUISANCES: readonly (readonly [string, Buffer, (i: number) => Buffer])[] = [
  ["empty DATA", Buffer.concat([OPENING, grpcHeaders(1, PUT)]), () => frame(FRAME.data, 0, 1)],
  [
    "WINDOW_UPDATE",
    Buffer.concat([OPENING, grpcHeaders(1, PUT)]),
    () => frame(FRAME.windowUpdate, 0, 1, uint32(1)),
  ],
  ["frames of unknown types", OPENING, () => frame(99, 0, 0, Buffer.alloc(100))],
];

/** Beginning of an upload. */
const BEGINNING = Buffer.concat([
  OPENING,
  grpcHeaders(1, PUT),
  frame(FRAME.data, 0, 1, Buffer.of(0, 0, 0)),
]);

describe("a daemon", () => {
  it("closes connections that do not say what they want", async () => {
    await besiege(daemon, async () => {
      const connections = new Map<string, RawConnection>();
      for (const [name, bytes] of NOTHING_TO_SAY) {
        const connection = await RawConnection.open(daemon.port);
        connections.set(name, connection);
        await connection.send(bytes);
      }
      expect(await stillOpen(connections)).toEqual([]);
    });
  });

  it("closes a connection that says it one byte at a time", async () => {
    using connection = await RawConnection.open(daemon.port);
    const request = Buffer.from(`POST ${STAT} HTTP/1.1\r\nx: ${"y".repeat(5000)}`);
    for (let i = 0; i < request.length && !connection.isClosed; i++) {
      await connection.send(request.subarray(i, i + 1));
      await Promise.race([delay(50), connection.closed]);
    }
    expect(connection.isClosed).toBe(true);
  });

  it.each(NONSENSE)("closes a connection that sends %s", async (what, bytes) => {
    await besiege(daemon, async () => {
      const connection = await RawConnection.open(daemon.port);
      await connection.send(bytes);
      expect(await stillOpen(new Map([[what, connection]]))).toEqual([]);
    });
  });

  it("closes connections that send random bytes after a good beginning, whatever they are", async () => {
    const random = new SeededRandom(SEED);
    await besiege(daemon, async () => {
      const connections = new Map<string, RawConnection>();
      for (let i = 0; i < 100; i++) {
        const connection = await RawConnection.open(daemon.port);
        const cut = random.below(BEGINNING.length);
        connections.set(`${i}, ${cut} bytes good`, connection);
        await connection.send(BEGINNING.subarray(0, cut), random.bytes(1 + random.below(2000)));
        connection.socket.end();
      }
      expect(await stillOpen(connections)).toEqual([]);
    });
  });

  it.each(FLOODS)("ends a flood of %s", async (_, opening, make) => {
    await besiege(daemon, async () => {
      using connection = await RawConnection.open(daemon.port);
      await connection.send(opening);
      await flood(connection, make);
      expect(connection.isClosed).toBe(true);
    });
  });

  it.each(NUISANCES)("lives through a flood of %s", async (_, opening, make) => {
    await besiege(daemon, async () => {
      using connection = await RawConnection.open(daemon.port);
      await connection.send(opening);
      await flood(connection, make);
    });
  });

  it("keeps nothing of connections that are gone", async () => {
    const watch = watchProcess(daemon.pid);
    const before = watch.openFiles();
    const connections = await Promise.all(
      Array.from({ length: 200 }, () => RawConnection.open(daemon.port)),
    );
    for (const connection of connections) await connection.send(OPENING, grpcHeaders(1, PUT));
    for (const connection of connections) connection.socket.resetAndDestroy();
    expect(await watch.settledOpenFiles(before + 8)).toBeLessThanOrEqual(before + 8);
  });
});
