import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

/** A peer that serves. */
export interface PeerServer {
  /** `HOST:PORT`. */
  readonly address: string;
  /** Ends it and waits. */
  stop(): Promise<void>;
}

export interface NginxOptions {
  /** Where its configuration and what it writes down are. Made. */
  readonly folder: string;
  /** The files. */
  readonly root: string;
  /** Whether it takes uploads; its memory of which files there are is off then, which would be wrong. */
  readonly takesUploads: boolean;
}

const LOOPBACK = "127.0.0.1";
const START_MS = 10_000;
const LOOK_EVERY_MS = 20;

/** Starts nginx on a free port of the loopback, and waits until it takes connections. */
export async function startNginx(options: NginxOptions, signal: AbortSignal): Promise<PeerServer> {
  const { folder, root } = options;
  mkdirSync(folder, { recursive: true });
  mkdirSync(root, { recursive: true });
  const port = await freePort();
  const configuration = join(folder, "nginx.conf");
  const log = join(folder, "error.log");
  writeFileSync(configuration, nginxConfiguration({ ...options, port, isRoot: isRoot() }));
  const child = spawn("nginx", ["-e", log, "-p", folder, "-c", configuration], {
    stdio: ["ignore", "ignore", openSync(log, "a")],
  });
  const exited = once(child, "exit");
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    await exited;
  };
  for (const limit = performance.now() + START_MS; !(await isListening(port)); ) {
    if (child.exitCode !== null || performance.now() > limit || signal.aborted) {
      await stop();
      signal.throwIfAborted();
      throw new Error(`Cannot start nginx: ${readFileSync(log, "utf8").trim()}`);
    }
    await pause(LOOK_EVERY_MS);
  }
  return { address: `${LOOPBACK}:${port}`, stop };
}

/**
 * What makes nginx fast: a worker for each processor, sendfile, open files that are kept, connections that are
 * kept however much is asked of them, and no log. Nothing of the machine's own configuration is read.
 */
function nginxConfiguration({
  folder,
  root,
  port,
  takesUploads,
  isRoot,
}: NginxOptions & { readonly port: number; readonly isRoot: boolean }): string {
  const uploads = `
    client_max_body_size 0;
    client_body_buffer_size 1m;
    client_body_temp_path ${root}/.uploads;
    dav_methods PUT;
    create_full_put_path on;
    dav_access user:rw group:r all:r;`;
  const files = `
    open_file_cache max=100000 inactive=10m;
    open_file_cache_valid 10m;
    open_file_cache_errors on;`;
  return `daemon off;
${isRoot ? "user root;\n" : ""}worker_processes auto;
pid ${folder}/nginx.pid;
events {
  worker_connections 4096;
}
http {
  access_log off;
  sendfile on;
  sendfile_max_chunk 2m;
  tcp_nopush on;
  tcp_nodelay on;
  keepalive_timeout 300s;
  keepalive_requests 1000000000;
  server_tokens off;
  default_type application/octet-stream;
  types {
    text/x-nix-narinfo narinfo;
    text/x-nix-cache-info nix-cache-info;
    application/x-nix-nar nar;
  }
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  client_body_temp_path ${folder}/body;
  server {
    listen ${LOOPBACK}:${port} backlog=1024;
    root ${root};${takesUploads ? uploads : files}
  }
}
`;
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** nginx takes no port 0. Between this and its start somebody else may get the port; then it does not start. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, LOOPBACK);
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("Cannot find a free port");
  return address.port;
}

async function isListening(port: number): Promise<boolean> {
  const socket: Socket = connect(port, LOOPBACK);
  try {
    await once(socket, "connect");
    return true;
  } catch {
    // Not yet: asking is the way to find out.
    return false;
  } finally {
    socket.destroy();
  }
}
