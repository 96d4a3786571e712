import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, createClient, type Transport } from "@connectrpc/connect";
import { BlobService, DirectoryService } from "@tvix/protos/castore";
import { ServerReflection } from "@tvix/protos/grpc";
import type { RpcAddress } from "../src/client/address.js";
import { openRpcChannel, type RpcChannel } from "../src/client/channel.js";
import type { RpcChannelOptions } from "../src/client/options.js";
import type { RpcServer, RpcServerOptions } from "../src/server/rpc-server.js";
import { createRpcServer } from "../src/server/server.js";
import { EventLog } from "./event-log.js";
import { testRoutes } from "./services.js";

/** Clients of all test services. */
export interface Clients {
  readonly blobs: Client<typeof BlobService>;
  readonly directories: Client<typeof DirectoryService>;
  readonly chat: Client<typeof ServerReflection>;
}

/** Clients over one transport. */
export function clientsOf(transport: Transport): Clients {
  return {
    blobs: createClient(BlobService, transport),
    directories: createClient(DirectoryService, transport),
    chat: createClient(ServerReflection, transport),
  };
}

/** A server with the test services, on a free port of loopback and on a unix socket. */
export class Harness {
  readonly log = new EventLog();
  readonly server: RpcServer;
  readonly port: number;
  readonly path: string;
  readonly #directory: string;
  readonly #closers: (() => unknown)[] = [];

  private constructor(server: RpcServer, log: EventLog, port: number, directory: string) {
    this.server = server;
    this.log = log;
    this.port = port;
    this.#directory = directory;
    this.path = join(directory, "rpc.sock");
  }

  static async open(options: Partial<RpcServerOptions> = {}): Promise<Harness> {
    const log = new EventLog();
    const server = createRpcServer({ routes: testRoutes(log), ...options });
    const directory = await mkdtemp(join(tmpdir(), "grpc-test-"));
    const bound = await server.listen({ host: "127.0.0.1", port: 0 });
    await server.listen({ path: join(directory, "rpc.sock") });
    const port = bound.transport === "tcp" ? bound.port : 0;
    return new Harness(server, log, port, directory);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get tcp(): RpcAddress {
    return { transport: "tcp", host: "127.0.0.1", port: this.port, encrypted: false };
  }

  /** A channel that is closed with the harness. */
  channel(options?: RpcChannelOptions, address: RpcAddress = this.tcp): RpcChannel {
    const channel = openRpcChannel(address, options);
    this.onClose(() => channel.close());
    return channel;
  }

  /** Clients over a channel of their own. */
  clients(options?: RpcChannelOptions): Clients {
    return clientsOf(this.channel(options).transport);
  }

  onClose(close: () => unknown): void {
    this.#closers.push(close);
  }

  async close(): Promise<void> {
    for (const close of this.#closers.splice(0)) {
      await close();
    }
    await this.server.close();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/** What a failed call fails with; fails when it does not. */
export async function failure(call: Promise<unknown>): Promise<unknown> {
  try {
    await call;
  } catch (error) {
    return error;
  }
  throw new Error("the call succeeded");
}

/** All that a stream yields. */
export async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of source) {
    all.push(one);
  }
  return all;
}
