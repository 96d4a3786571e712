import type { Transport } from "@connectrpc/connect";
import { parseRpcAddress, type RpcAddress } from "./address.js";
import { Connector } from "./connector.js";
import { type RpcChannelOptions, resolveChannelOptions } from "./options.js";
import { Http2Transport } from "./transport.js";

/** A connection to one server that comes back when it is lost. */
export interface RpcChannel extends AsyncDisposable {
  readonly address: RpcAddress;
  /** For `createClient` of connect. */
  readonly transport: Transport;
  /**
   * Connects now, rather than with the first call.
   *
   * @throws ConnectError with Unavailable
   */
  connect(): Promise<void>;
  /** Ends the connection and the calls on it. Calls made later fail with Unavailable. */
  close(): Promise<void>;
}

/**
 * Opens a channel. Nothing is connected before the first call.
 *
 * Calls share one HTTP/2 connection. When it is lost, the calls on it fail with Unavailable and the next call
 * connects again, with growing waits while that fails. When the server sends GOAWAY, calls in flight
 * go on, and those that it has not begun with are made again on a new connection.
 *
 * Leaving a loop over a response early does not end the call: connect clients hide that from the transport.
 * Pass a signal and abort it.
 *
 * @throws RpcAddressError for an address that cannot be parsed
 */
export function openRpcChannel(
  address: RpcAddress | string,
  options?: RpcChannelOptions,
): RpcChannel {
  const parsed = typeof address === "string" ? parseRpcAddress(address) : address;
  const resolved = resolveChannelOptions(options);
  const connector = new Connector(parsed, resolved);
  const close = (): Promise<void> => {
    connector.close();
    return Promise.resolve();
  };
  return {
    address: parsed,
    transport: new Http2Transport(connector, resolved),
    connect: async () => {
      await connector.connect();
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
