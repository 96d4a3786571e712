import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";

/** What Node may use for one session. By default, 10 MB of uploads are enough for calls to fail here. */
const SESSION_MEMORY_MB = 1000;

/** How a call ended: its gRPC status, -1 when it ended without one. */
export interface RawEnd {
  readonly status: number;
  readonly message: string;
  /** Bytes of the response, framing included. */
  readonly bytes: Buffer;
}

/** A gRPC call whose messages are bytes. */
export interface RawCall {
  readonly stream: ClientHttp2Stream;
  /** Fulfils when the call is over, however. */
  readonly ended: Promise<RawEnd>;
  readonly isOver: boolean;
  /** Sends, and waits until the other side has room or the call is over. */
  send(bytes: Uint8Array): Promise<void>;
}

/** A session of HTTP/2 that takes its end as it comes. */
export function openSession(url: string): ClientHttp2Session {
  const session = connect(url, { maxSessionMemory: SESSION_MEMORY_MB });
  session.on("error", () => {});
  return session;
}

/** Begins a call. Nothing is checked, on neither side of it. */
export function startCall(
  session: ClientHttp2Session,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): RawCall {
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  let status = "-1";
  let message = "";
  let isOver = false;
  const chunks: Buffer[] = [];
  const take = (fields: Record<string, unknown>): void => {
    status = String(fields["grpc-status"] ?? status);
    message = decodeURIComponent(String(fields["grpc-message"] ?? message));
  };
  stream.on("response", take);
  stream.on("trailers", take);
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  stream.on("error", () => {});
  const ended = new Promise<RawEnd>((resolve) => {
    stream.once("close", () => {
      isOver = true;
      resolve({ status: Number(status), message, bytes: Buffer.concat(chunks) });
    });
  });
  return {
    stream,
    ended,
    get isOver() {
      return isOver;
    },
    async send(bytes) {
      if (isOver || stream.destroyed || stream.writableEnded || stream.write(bytes)) return;
      let resume = (): void => {};
      const drained = new Promise<void>((resolve) => {
        resume = resolve;
        stream.once("drain", resume);
      });
      await Promise.race([drained, ended]);
      stream.off("drain", resume);
    },
  };
}

/** A message as gRPC sends it: flags, length, content. */
export function grpcMessage(content: Uint8Array, isCompressed = false): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(isCompressed ? 1 : 0);
  head.writeUInt32BE(content.byteLength, 1);
  return Buffer.concat([head, content]);
}
