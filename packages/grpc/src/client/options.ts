import type { Interceptor } from "@connectrpc/connect";

/** PEM texts for `grpc+https`. */
export interface ClientTls {
  /** Authorities to trust instead of those of the system. */
  readonly ca?: string | undefined;
  /** Certificate and key to show to the server. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** Name the certificate of the server must carry, where it is not the host of the address. */
  readonly serverName?: string | undefined;
}

/** Options of a channel. */
export interface RpcChannelOptions {
  /** Bearer token sent with each call; a function is asked each time. */
  readonly token?: string | (() => string) | undefined;
  readonly tls?: ClientTls | undefined;
  /** Run around every call, in this order. */
  readonly interceptors?: readonly Interceptor[] | undefined;
  /** For calls that set none, in ms. Default: no deadline. */
  readonly defaultTimeoutMs?: number | undefined;
  /** Largest message taken, in bytes. Default: 4 MiB. */
  readonly maxReceiveBytes?: number | undefined;
  /** Largest message sent, in bytes. Default: 4 MiB. */
  readonly maxSendBytes?: number | undefined;
  /** For one attempt to connect, in ms. Default: 10,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** Wait after a failed attempt to connect, in ms: doubles with each, up to the maximum. Default: 100 and 5,000. */
  readonly minBackoffMs?: number | undefined;
  readonly maxBackoffMs?: number | undefined;
  /** A connection with calls that is silent for this long is pinged, in ms. Default: 30,000. */
  readonly keepaliveIntervalMs?: number | undefined;
  /** A ping not answered for this long ends the connection, in ms. Default: 10,000. */
  readonly keepaliveTimeoutMs?: number | undefined;
}

/** The options that have a default. */
interface DefaultedOptions {
  readonly maxReceiveBytes: number;
  readonly maxSendBytes: number;
  readonly connectTimeoutMs: number;
  readonly minBackoffMs: number;
  readonly maxBackoffMs: number;
  readonly keepaliveIntervalMs: number;
  readonly keepaliveTimeoutMs: number;
}

/** The options with their defaults. */
export type ResolvedChannelOptions = Omit<RpcChannelOptions, keyof DefaultedOptions> &
  DefaultedOptions;

/** Fills in the defaults. */
export function resolveChannelOptions(options: RpcChannelOptions = {}): ResolvedChannelOptions {
  return {
    ...options,
    maxReceiveBytes: options.maxReceiveBytes ?? 4 << 20,
    maxSendBytes: options.maxSendBytes ?? 4 << 20,
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
    minBackoffMs: options.minBackoffMs ?? 100,
    maxBackoffMs: options.maxBackoffMs ?? 5000,
    keepaliveIntervalMs: options.keepaliveIntervalMs ?? 30_000,
    keepaliveTimeoutMs: options.keepaliveTimeoutMs ?? 10_000,
  };
}
