/** HTTP/2 by hand, for clients that do what no library lets them do. Layout: RFC 9113 section 4.1. */

export const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/** A frame of HTTP/2. */
export function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.byteLength, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

export const SETTINGS: Buffer = frame(4, 0, 0, new Uint8Array(0));

/** The beginning of a connection. */
export const OPENING: Buffer = Buffer.concat([Buffer.from(PREFACE), SETTINGS]);

/** The same with the largest windows there are, for each stream and for the connection. */
export const WIDE_OPENING: Buffer = Buffer.concat([
  Buffer.from(PREFACE),
  frame(4, 0, 0, Buffer.of(0, 4, 0x7f, 0xff, 0xff, 0xff)),
  frame(8, 0, 0, Buffer.of(0x7f, 0xff, 0, 0)),
]);

/** The header block of a call, without compression. Source: RFC 7541 section 6.2.2. */
export function requestHead(path: string, more: Readonly<Record<string, string>> = {}): Buffer {
  const headers = {
    ":method": "POST",
    ":path": path,
    ":scheme": "http",
    ":authority": "x",
    "content-type": "application/grpc",
    ...more,
  };
  const parts: Buffer[] = [];
  for (const [name, value] of Object.entries(headers)) {
    parts.push(Buffer.of(0, name.length), Buffer.from(name));
    parts.push(Buffer.of(value.length), Buffer.from(value));
  }
  return Buffer.concat(parts);
}

/** A whole call with one message: HEADERS, and DATA that ends the request. */
export function rawCall(
  stream: number,
  path: string,
  message: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Buffer {
  const head = frame(1, 4, stream, requestHead(path, headers));
  const body = Buffer.concat([Buffer.of(0, 0, 0, 0, message.byteLength), message]);
  return Buffer.concat([head, frame(0, 1, stream, body)]);
}
