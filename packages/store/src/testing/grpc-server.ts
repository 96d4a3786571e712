import http2 from "node:http2";
import type { AddressInfo } from "node:net";
import type { ConnectRouter, Transport } from "@connectrpc/connect";
import {
  connectNodeAdapter,
  createGrpcTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";

/** A server on a socket of its own and a client of it. */
export interface GrpcServer {
  /** `http://HOST:PORT` */
  readonly url: string;
  readonly transport: Transport;
  /** Ends all connections. */
  close(): Promise<void>;
}

/**
 * Node ends streams of a session that holds more than 10 MB, by default; many uploads at a time come to
 * more. In units of 1 MB.
 */
const HTTP2_OPTIONS = { settings: { initialWindowSize: 1024 * 1024 }, maxSessionMemory: 1000 };

/** Serves `routes` over cleartext HTTP/2 on loopback. */
export async function serveGrpc(routes: (router: ConnectRouter) => void): Promise<GrpcServer> {
  const sessions = new Set<http2.ServerHttp2Session>();
  const server = http2.createServer(
    HTTP2_OPTIONS,
    connectNodeAdapter({ routes, acceptCompression: [] }),
  );
  server.on("session", (session) => {
    session.setLocalWindowSize(16 * 1024 * 1024);
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const sessionManager = new Http2SessionManager(url, {}, HTTP2_OPTIONS);
  return {
    url,
    transport: createGrpcTransport({ baseUrl: url, sessionManager, acceptCompression: [] }),
    close: async () => {
      sessionManager.abort();
      for (const session of sessions) session.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
