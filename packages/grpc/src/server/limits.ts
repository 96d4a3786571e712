/** What a peer may cost. Every limit is an option of the server; these are the defaults. */
export interface RpcServerLimits {
  /** Largest message taken, in bytes, after decompression. */
  readonly maxReceiveBytes: number;
  /**
   * Fields of one message taken, with those of the messages in it, which count as four each. What a message
   * costs to decode follows from these, not from its length.
   */
  readonly maxReceiveFields: number;
  /** Largest message sent, in bytes. Stock gRPC peers refuse more than 4 MiB. */
  readonly maxSendBytes: number;
  /** Connections at one time, over all addresses. One more is closed at once. */
  readonly maxConnections: number;
  /** Calls at one time on one HTTP/2 connection; more are refused and may be retried. */
  readonly maxStreamsPerConnection: number;
  /** Calls at one time over all connections; more fail with ResourceExhausted. */
  readonly maxCalls: number;
  /** Bytes of headers of one request. */
  readonly maxHeaderBytes: number;
  /** From accepting a connection to its first complete request head (TLS handshake included), in ms. */
  readonly headerTimeoutMs: number;
  /** A connection without a call for this long is closed, in ms. */
  readonly idleTimeoutMs: number;
  /**
   * How long the server waits for a peer within a call, in ms: for the next message of an upload to be
   * complete, or for a message to be taken. Streams where both sides talk may be silent between messages.
   */
  readonly stallTimeoutMs: number;
  /** A connection with calls that is silent for this long is pinged, in ms. */
  readonly keepaliveIntervalMs: number;
  /** A ping not answered for this long ends the connection, in ms. */
  readonly keepaliveTimeoutMs: number;
  /** Calls that a peer may reset early in a row, before the rate below counts. */
  readonly resetBurst: number;
  /** Early resets per second that are tolerated on one connection. */
  readonly resetsPerSecond: number;
  /** PING and SETTINGS frames in a row, before the rate below counts. */
  readonly controlBurst: number;
  /** PING and SETTINGS frames per second that are tolerated on one connection. */
  readonly controlPerSecond: number;
}

/** The limits when nothing else is said. */
export const DEFAULT_LIMITS: RpcServerLimits = {
  maxReceiveBytes: 4 << 20,
  // A Directory of 90,000 files, which 4 MiB hold, has no more.
  maxReceiveFields: 700_000,
  maxSendBytes: 4 << 20,
  maxConnections: 4096,
  maxStreamsPerConnection: 256,
  maxCalls: 8192,
  maxHeaderBytes: 16 << 10,
  headerTimeoutMs: 10_000,
  idleTimeoutMs: 300_000,
  stallTimeoutMs: 60_000,
  keepaliveIntervalMs: 60_000,
  keepaliveTimeoutMs: 20_000,
  resetBurst: 500,
  resetsPerSecond: 100,
  controlBurst: 10_000,
  controlPerSecond: 1000,
};

/**
 * The defaults with what the caller sets.
 *
 * @throws RangeError for a limit that is not a positive integer
 */
export function resolveLimits(limits: Partial<RpcServerLimits> = {}): RpcServerLimits {
  for (const [name, value] of Object.entries(limits)) {
    if (value !== undefined && !(Number.isSafeInteger(value) && value > 0)) {
      throw new RangeError(`Cannot use limit ${name} ${value}: it must be a positive integer`);
    }
  }
  const given = Object.entries(limits).filter(([, value]) => value !== undefined);
  return { ...DEFAULT_LIMITS, ...Object.fromEntries(given) };
}
