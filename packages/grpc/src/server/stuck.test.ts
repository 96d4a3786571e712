/** Clients that ask for much, have a window for all of it, and do not read. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { EventLog } from "../../test/event-log.js";
import { Harness } from "../../test/harness.js";
import { rawCall, WIDE_OPENING } from "../../test/raw-http2.js";
import { READ } from "../../test/services.js";
import type { ConnectionEnd } from "./hooks.js";
import type { RpcServerLimits } from "./limits.js";

const READ_PATH = "/tvix.castore.v1.BlobService/Read";
const RESET_STREAM = 3;

/** A download without end, on each of so many streams. */
function downloads(count: number, headers: Readonly<Record<string, string>> = {}): Buffer {
  const message = Buffer.of(0x0a, 1, READ.endless);
  const calls = Array.from({ length: count }, (_, index) =>
    rawCall(1 + 2 * index, READ_PATH, message, headers),
  );
  return Buffer.concat(calls);
}

/** A connection that reads nothing until it is told to. */
async function pausedClient(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.pause();
  await once(socket, "connect");
  return socket;
}

/** How many streams the server resets, in what comes until there are `count`. */
async function resets(from: Socket, count: number): Promise<number> {
  let rest = Buffer.alloc(0);
  let seen = 0;
  for await (const chunk of from) {
    rest = Buffer.concat([rest, chunk as Buffer]);
    while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
      seen += rest[3] === RESET_STREAM ? 1 : 0;
      rest = rest.subarray(9 + rest.readUIntBE(0, 3));
    }
    if (seen === count) break;
  }
  return seen;
}

/** Most memory that the server below may take, in KiB: it has all of the machine's otherwise. */
const MEMORY_KIB = 1_000_000;

const PROGRAM = `
  import { createRpcServer } from ${JSON.stringify(new URL("../../dist/index.js", import.meta.url).href)};
  import { BlobService } from "@tvix/protos/castore";
  const data = new Uint8Array(300_000);
  const server = createRpcServer({
    routes: (router) => router.service(BlobService, { async *read() { for (;;) yield { data }; } }),
    fallback: (_, response) => response.end("serving"),
    observer: {
      onConnection: () => () => console.log("gone"),
      onRequest: ({ surface }) => () => surface === "grpc" && console.log("over"),
    },
  });
  const { port } = await server.listen({ host: "127.0.0.1", port: 0 });
  console.log(port + "\\nlistening");
`;

/** A server in a process of its own, which can be killed when it does not come back from a loop. */
class ServerProcess implements AsyncDisposable {
  readonly log = new EventLog();
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;

  constructor() {
    const node = [process.execPath, "--input-type=module", "-e", PROGRAM];
    this.#process = spawn("sh", ["-c", `ulimit -d ${MEMORY_KIB}; exec "$@"`, "sh", ...node], {
      cwd: fileURLToPath(new URL("../..", import.meta.url)),
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#ended = once(this.#process, "close");
    let rest = "";
    (this.#process.stdout as Readable).setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.log.add(line);
    });
  }

  /** Waits for a line, so many times; fails when the process ends before. */
  async says(line: string, times = 1): Promise<void> {
    const died = this.#ended.then(() => {
      throw new Error(`The server has ended before it said ${line}`);
    });
    await Promise.race([this.log.seen(line, times), died]);
  }

  /** Where it listens. */
  async port(): Promise<number> {
    await this.says("listening");
    return Number(this.log.events[0]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#ended;
  }
}

describe("createRpcServer(), calls whose deadline passes while the client does not read", () => {
  it.each([
    ["reads again", async (client: Socket) => expect(await resets(client, 4)).toBe(4)],
    ["goes away", async (client: Socket) => void client.destroy()],
  ])("goes on serving when the client %s", async (_, act) => {
    await using server = new ServerProcess();
    const port = await server.port();
    const client = await pausedClient(port);
    client.write(Buffer.concat([WIDE_OPENING, downloads(4, { "grpc-timeout": "300m" })]));
    await server.says("over", 4);
    await act(client);
    client.destroy();
    await server.says("gone");
    const answer = await fetch(`http://127.0.0.1:${port}`);
    expect(await answer.text()).toBe("serving");
  });
});

/** So many that the system cannot hold what is sent at once on all of them, at least 1.5 MB each. */
const STREAMS = 20;

interface Stuck {
  readonly name: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly limits?: Partial<RpcServerLimits>;
  /** The reason that is given for the end of the connection. */
  readonly reason?: ConnectionEnd;
}

const STUCK: readonly Stuck[] = [
  { name: "stall" },
  { name: "pass their deadline", headers: { "grpc-timeout": "200m" } },
  { name: "are those of a web page", headers: { "content-type": "application/grpc-web+proto" } },
  // Streams that the server cuts count as well.
  { name: "are more than may be reset", limits: { resetBurst: 5 }, reason: "flood" },
];

describe("createRpcServer(), connections whose client does not read", () => {
  it.concurrent.each(STUCK)("are ended when their calls $name", async (stuck) => {
    const { headers, limits, reason = "dead-peer" } = stuck;
    const seen = new EventLog();
    const harness = await Harness.open({
      limits: { stallTimeoutMs: 400, ...limits },
      observer: { onConnection: () => (end) => seen.add(end) },
    });
    try {
      const client = await pausedClient(harness.port);
      client.write(Buffer.concat([WIDE_OPENING, downloads(STREAMS, headers)]));
      await seen.seen(reason);
      expect(harness.log.events.filter((event) => event === "read finally")).toHaveLength(STREAMS);
      client.destroy();
    } finally {
      await harness.close();
    }
  });
});
