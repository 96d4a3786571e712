/** Settings of HTTP/2 that both sides use. Measured: see the README of this package. */

/** Bytes a client may send on one stream before the server has taken them. */
export const SERVER_STREAM_WINDOW: number = 1 << 20;

/** Bytes a server may send on one stream before the client has taken them: a client chooses its server. */
export const CLIENT_STREAM_WINDOW: number = 4 << 20;

/**
 * Bytes a peer may send on one connection. Node's default of 64 KiB costs half of the throughput; this is
 * also the bound of what one connection can make us hold.
 */
export const CONNECTION_WINDOW: number = 16 << 20;

/** MB that `node:http2` may use for one session. Its default of 10 is too few for 64 uploads at once. */
export const MAX_SESSION_MEMORY_MB = 1000;
