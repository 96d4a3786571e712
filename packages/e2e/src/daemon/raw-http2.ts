/**
 * HTTP/2 frames by hand, for clients that break its rules. Layout: RFC 9113 §4.1; headers are written
 * without compression as "literal header field never indexed, new name", RFC 7541 §6.2.3.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";

export const PREFACE: Buffer = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

export const FRAME = {
  data: 0,
  headers: 1,
  resetStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const FLAG = { ack: 1, endStream: 1, endHeaders: 4 } as const;

/** One frame; its payload may be longer than HTTP/2 allows. */
export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array = new Uint8Array(0),
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.byteLength, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** The beginning of a connection: preface and empty SETTINGS. */
export const OPENING: Buffer = Buffer.concat([PREFACE, frame(FRAME.settings, 0, 0)]);

/** A header block. */
export function headerBlock(headers: Readonly<Record<string, string>>): Buffer {
  const parts = Object.entries(headers).map(([name, value]) => [
    Buffer.of(0x10),
    stringLiteral(name),
    stringLiteral(value),
  ]);
  return Buffer.concat(parts.flat());
}

/** HEADERS of a gRPC call, with more headers where they are given. */
export function grpcHeaders(
  stream: number,
  path: string,
  more: Readonly<Record<string, string>> = {},
): Buffer {
  const block = headerBlock({
    ":method": "POST",
    ":scheme": "http",
    ":path": path,
    ":authority": "localhost",
    "content-type": "application/grpc",
    te: "trailers",
    ...more,
  });
  return frame(FRAME.headers, FLAG.endHeaders, stream, block);
}

/** A 32-bit number as payload. */
export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function stringLiteral(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  return Buffer.concat([prefixedInteger(bytes.byteLength), bytes]);
}

/** An integer with a prefix of 7 bits, RFC 7541 §5.1. */
function prefixedInteger(value: number): Buffer {
  if (value < 127) return Buffer.of(value);
  const bytes = [127];
  let rest = value - 127;
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128);
  return Buffer.of(...bytes, rest);
}

/** A connection of which only bytes are known. */
export class RawConnection {
  readonly socket: Socket;
  /** Fulfils when the connection is over, by whichever side and however. */
  readonly closed: Promise<void>;
  #received: Buffer[] = [];
  #receivedBytes = 0;
  #isClosed = false;
  readonly #keep: number;

  private constructor(socket: Socket, keep: number) {
    this.socket = socket;
    this.#keep = keep;
    // A reset is one of the ways to be told to go away.
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    this.closed = new Promise((resolve) => {
      socket.once("close", () => {
        this.#isClosed = true;
        resolve();
      });
    });
  }

  /** @param keep - how many bytes of what comes are kept */
  static async open(port: number, keep = 100_000): Promise<RawConnection> {
    const socket = connect({ host: "127.0.0.1", port });
    const connection = new RawConnection(socket, keep);
    await Promise.race([once(socket, "connect"), connection.closed]);
    return connection;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** What came first. */
  get received(): Buffer {
    return Buffer.concat(this.#received);
  }

  /** Types of the frames that came, as far as they were kept. */
  get frames(): { type: number; flags: number; stream: number; payload: Buffer }[] {
    const bytes = this.received;
    const found = [];
    for (let offset = 0; offset + 9 <= bytes.length; ) {
      const end = offset + 9 + bytes.readUIntBE(offset, 3);
      const [type = -1, flags = 0] = bytes.subarray(offset + 3, offset + 5);
      const stream = bytes.readUInt32BE(offset + 5);
      found.push({ type, flags, stream, payload: bytes.subarray(offset + 9, end) });
      offset = end;
    }
    return found;
  }

  /** Sends, and waits until the other side has room or is gone. */
  async send(...parts: readonly Uint8Array[]): Promise<void> {
    if (this.#isClosed || this.socket.destroyed) return;
    if (!this.socket.write(Buffer.concat(parts))) {
      let resume = (): void => {};
      const drained = new Promise<void>((resolve) => {
        resume = resolve;
        this.socket.once("drain", resume);
      });
      await Promise.race([drained, this.closed]);
      this.socket.off("drain", resume);
    }
  }

  destroy(): void {
    this.socket.destroy();
  }

  [Symbol.dispose](): void {
    this.destroy();
  }

  #take(chunk: Buffer): void {
    if (this.#receivedBytes >= this.#keep) return;
    this.#received.push(chunk);
    this.#receivedBytes += chunk.length;
  }
}
