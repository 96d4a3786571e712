/** Messages that come in compressed. Nothing is compressed on the way out: the store's bytes already are. */

import { promisify } from "node:util";
import { gunzip, inflate } from "node:zlib";
import { Code, ConnectError } from "@connectrpc/connect";

/** Turns a compressed message into the message; refuses more than `maxBytes`. */
export type Decompress = (bytes: Uint8Array, maxBytes: number) => Promise<Uint8Array>;

/** Value of `grpc-accept-encoding`. */
export const ACCEPT_ENCODING = "identity,gzip,deflate";

const unzip = { gzip: promisify(gunzip), deflate: promisify(inflate) };

/**
 * The decompressor for a `grpc-encoding` header, `undefined` for none.
 *
 * @throws ConnectError with Unimplemented for an encoding we do not have
 */
export function decompressorFor(encoding: string | undefined): Decompress | undefined {
  if (encoding === undefined || encoding === "identity") {
    return undefined;
  }
  if (encoding !== "gzip" && encoding !== "deflate") {
    throw new ConnectError(
      `Cannot decompress ${JSON.stringify(encoding)}: supported are ${ACCEPT_ENCODING}`,
      Code.Unimplemented,
      { "grpc-accept-encoding": ACCEPT_ENCODING },
    );
  }
  return (bytes, maxBytes) => decompress(unzip[encoding], bytes, maxBytes);
}

async function decompress(
  method: (bytes: Uint8Array, options: { maxOutputLength: number }) => Promise<Uint8Array>,
  bytes: Uint8Array,
  maxBytes: number,
): Promise<Uint8Array> {
  try {
    // Node refuses a limit of 0.
    return await method(bytes, { maxOutputLength: Math.max(1, maxBytes) });
  } catch (error) {
    if (error instanceof RangeError) {
      throw new ConnectError(
        `Cannot receive message: more than ${maxBytes} bytes when decompressed`,
        Code.ResourceExhausted,
      );
    }
    throw new ConnectError(
      "Cannot decompress message",
      Code.InvalidArgument,
      undefined,
      undefined,
      error,
    );
  }
}
