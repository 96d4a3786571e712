import { connect } from "node:http2";

/** How an upload ended: its gRPC status, -1 when the connection ended without one. */
interface UploadEnd {
  readonly status: number;
  readonly message: string;
  readonly bytes: Uint8Array;
}

/** An upload of a blob that goes on as long as the test wants, in frames written by hand. */
export interface RawUpload {
  /** Sends a piece of less than 128 bytes. */
  send(piece: Uint8Array): Promise<void>;
  /** Ends the blob. */
  end(): void;
  readonly ended: Promise<UploadEnd>;
  close(): void;
}

/** Begins `BlobService.Put` at `http://HOST:PORT`. */
export function startUpload(url: string, token?: string): RawUpload {
  const session = connect(url);
  session.on("error", () => {});
  const stream = session.request({
    ":method": "POST",
    ":path": "/tvix.castore.v1.BlobService/Put",
    "content-type": "application/grpc",
    te: "trailers",
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  });
  let status: string | undefined;
  let message = "";
  const chunks: Uint8Array[] = [];
  const take = (headers: Record<string, unknown>): void => {
    if (headers["grpc-status"] !== undefined) status = String(headers["grpc-status"]);
    message = String(headers["grpc-message"] ?? message);
  };
  stream.on("response", take);
  stream.on("trailers", take);
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  stream.on("error", () => {});
  const ended = new Promise<UploadEnd>((resolve) => {
    stream.once("close", () => {
      session.close();
      resolve({ status: Number(status ?? -1), message, bytes: Buffer.concat(chunks) });
    });
  });
  return {
    send: (piece) => new Promise((resolve) => stream.write(frame(piece), () => resolve())),
    end: () => void stream.end(),
    ended,
    close: () => session.destroy(),
  };
}

/** A BlobChunk (`bytes data = 1`) as a message of gRPC: flags, length, content. */
function frame(piece: Uint8Array): Uint8Array {
  const message = Buffer.concat([Uint8Array.of(0x0a, piece.byteLength), piece]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.byteLength, 1);
  return Buffer.concat([head, message]);
}
