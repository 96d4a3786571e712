import type { Socket } from "node:net";

/** The first bytes of every HTTP/2 connection. Source: RFC 9113 section 3.4. */
const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** What a connection speaks. */
export type HttpVersion = "h1" | "h2";

/**
 * Reads the first bytes of a connection until they tell HTTP/2 from HTTP/1.1, puts them back and says which
 * it is. Whoever calls bounds the time: a peer that sends half a preface is waited for.
 */
export function detectVersion(socket: Socket, onVersion: (version: HttpVersion) => void): void {
  let seen: Buffer = Buffer.alloc(0);
  const onReadable = (): void => {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) {
      return;
    }
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const compared = Math.min(seen.length, PREFACE.length);
    const isPrefix = seen.subarray(0, compared).equals(PREFACE.subarray(0, compared));
    if (isPrefix && compared < PREFACE.length) {
      return;
    }
    socket.off("readable", onReadable);
    socket.unshift(seen);
    onVersion(isPrefix ? "h2" : "h1");
  };
  socket.on("readable", onReadable);
}
