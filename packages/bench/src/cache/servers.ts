import { join } from "node:path";
import { startServer } from "../grpc/server-process.js";
import { cleanEnvironment } from "../operations/tool.js";
import { TVIX } from "../paths.js";
import type { CacheSide } from "./cache-run.js";
import { startNginx } from "./nginx.js";

/** A cache that serves. */
export interface CacheServer {
  /** Ends without a slash. */
  readonly url: string;
  /** `HOST:PORT`. */
  readonly address: string;
  /** Largest resident memory of our daemon so far; `undefined` for the peer. */
  peakBytes(): number | undefined;
  stop(): Promise<void>;
}

/** Where a side keeps what it has, and whether it takes more. */
export interface CacheTask {
  readonly side: CacheSide;
  /** The data directory, or that of the files. */
  readonly content: string;
  /** For what a server writes besides. */
  readonly folder: string;
  readonly takesUploads: boolean;
}

/** Starts our daemon with default settings, or nginx. */
export async function startCache(task: CacheTask, signal: AbortSignal): Promise<CacheServer> {
  const { side, content, folder, takesUploads } = task;
  if (side === "nginx") {
    const options = { folder: join(folder, "nginx"), root: content, takesUploads };
    const { address, stop } = await startNginx(options, signal);
    return { address, url: `http://${address}`, peakBytes: () => undefined, stop };
  }
  const args = ["daemon", "--listen", "127.0.0.1:0", "--log-format", "json", "--data-dir", content];
  const server = await startServer({ program: TVIX, args, env: cleanEnvironment({}) }, signal);
  const { address } = server;
  return {
    address,
    url: `http://${address}`,
    peakBytes: () => server.peakBytes(),
    stop: () => server.stop(),
  };
}
