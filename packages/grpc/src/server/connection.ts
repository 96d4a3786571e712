import { constants, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { Code, ConnectError } from "@connectrpc/connect";
import { CONNECTION_WINDOW } from "../wire/windows.js";
import type { ServerCall } from "./call.js";
import type { ConnectionEnd, Peer } from "./hooks.js";
import type { HttpRequest, HttpResponse } from "./http-surface.js";
import { LeakyBucket } from "./leaky-bucket.js";
import type { RpcServerLimits } from "./limits.js";
import type { HttpVersion } from "./mux.js";

/** How far a call had come when it was last looked at. */
interface Progress {
  step: number;
  since: number;
  /** When it was cut; its stream should end soon after. */
  cutAt?: number;
}

/** How long a connection that is to end may take to send its last frames, in ms. */
const FAREWELL_MS = 2000;

/** A request over HTTP and its response. */
interface Exchange {
  readonly request: HttpRequest;
  readonly response: HttpResponse;
}

/**
 * One accepted connection: who it is, what runs on it, and the watch over it. {@link Connection.check} is
 * called regularly; so calls cost no timers.
 */
export class Connection {
  readonly peer: Peer;
  readonly socket: Socket;
  readonly #limits: RpcServerLimits;
  readonly #onEnd: ((reason: ConnectionEnd) => void) | undefined;
  readonly #calls = new Map<ServerCall, Progress>();
  readonly #resets: LeakyBucket;
  readonly #control: LeakyBucket;
  #version: HttpVersion | undefined;
  #isSimple = false;
  #session: ServerHttp2Session | undefined;
  /** Requests over HTTP that have not ended. */
  readonly #exchanges = new Set<Exchange>();
  #endReason: ConnectionEnd = "closed";
  #leaving = false;
  /** When it ends whatever the peer does: it was told to with nothing running on it, or its session is over. */
  #endBy: number = Number.POSITIVE_INFINITY;
  /** When the peer must have read so much that the resets of its calls could be sent. */
  #resetsBy: number = Number.POSITIVE_INFINITY;
  #since: number;
  #bytesRead = 0;
  #silentSince: number;
  #pingedAt: number | undefined;

  constructor(
    socket: Socket,
    peer: Peer,
    limits: RpcServerLimits,
    onEnd: ((reason: ConnectionEnd) => void) | undefined,
  ) {
    this.socket = socket;
    this.peer = peer;
    this.#limits = limits;
    this.#onEnd = onEnd;
    this.#resets = new LeakyBucket(limits.resetBurst, limits.resetsPerSecond);
    this.#control = new LeakyBucket(limits.controlBurst, limits.controlPerSecond);
    this.#since = performance.now();
    this.#silentSince = this.#since;
    socket.on("error", () => {});
    socket.once("close", () => this.#onEnd?.(this.#endReason));
  }

  get calls(): Iterable<ServerCall> {
    return this.#calls.keys();
  }

  get callCount(): number {
    return this.#calls.size;
  }

  /** It speaks HTTP/1.1, and nobody else looks whether it is used. */
  setSimple(): void {
    this.#version = "h1";
    this.#isSimple = true;
  }

  /** It speaks HTTP/1.1. */
  setHttp1(): void {
    this.#version = "h1";
    this.#isSimple = false;
  }

  /** Something was answered at once. */
  noteUse(): void {
    this.#since = performance.now();
  }

  /** It speaks HTTP/2: sets the window and watches for floods. */
  setSession(session: ServerHttp2Session): void {
    this.#version = "h2";
    this.#session = session;
    session.setLocalWindowSize(CONNECTION_WINDOW);
    session.on("error", () => this.#endWithin(FAREWELL_MS));
    session.on("close", () => this.#endWithin(FAREWELL_MS));
    session.on("ping", () => this.#countControl());
    session.on("remoteSettings", () => this.#countControl());
  }

  /** Watches a stream: one that the peer resets before it is answered counts towards the flood limit. */
  watchStream(stream: ServerHttp2Stream): void {
    stream.on("error", () => {});
    const onReset = (): void => {
      if (!stream.writableFinished && !this.#resets.add()) {
        this.#flood();
      }
    };
    if (stream.aborted || stream.destroyed) {
      // Reset in the same packet that opened it.
      onReset();
    } else {
      stream.on("aborted", onReset);
    }
  }

  addCall(call: ServerCall, stream: ServerHttp2Stream): void {
    this.#calls.set(call, { step: 0, since: Number.POSITIVE_INFINITY });
    stream.on("close", () => {
      this.#calls.delete(call);
      if (call.wasReset) {
        // At its deadline, perhaps: then the client may be slow, but not for ever.
        this.#expectReading(this.#limits.stallTimeoutMs);
      }
      this.#since = performance.now();
    });
  }

  /** Keeps an exchange until its response is closed. */
  addExchange(exchange: Exchange): void {
    this.#exchanges.add(exchange);
    exchange.response.once("close", () => {
      this.#exchanges.delete(exchange);
      this.#since = performance.now();
      if (this.#version === "h1" && this.#leaving && this.#exchanges.size === 0) {
        this.socket.end();
      }
    });
  }

  /** Whether nothing can go on, or nothing is there to go on, before the client does something. */
  get waitsForClient(): boolean {
    return [...this.#exchanges].every(
      ({ request, response }) => !request.complete || response.writableLength > 0,
    );
  }

  /** Ends what is stuck: heads that do not come, calls whose peer does nothing, connections without use. */
  check(now: number): void {
    const age = now - this.#since;
    if (this.#version === undefined) {
      if (age > this.#limits.headerTimeoutMs) {
        this.destroy("header-timeout");
      }
      return;
    }
    if (this.#checkEnd(now)) {
      return;
    }
    for (const [call, progress] of this.#calls) {
      this.#checkCall(call, progress, now);
    }
    if (this.#version === "h1") {
      if (this.#isSimple && age > this.#limits.idleTimeoutMs) {
        this.destroy("idle");
      }
      return;
    }
    if (this.#calls.size === 0 && this.#exchanges.size === 0) {
      if (age > this.#limits.idleTimeoutMs) {
        this.goAway("idle");
      }
      return;
    }
    this.#checkAlive(now);
  }

  /** Tells the peer to call elsewhere; calls in flight go on. */
  goAway(reason: ConnectionEnd): void {
    this.#endReason = reason;
    this.#leaving = true;
    if (this.#session !== undefined) {
      this.#session.close();
      if (this.#calls.size === 0 && this.#exchanges.size === 0) {
        this.#endWithin(FAREWELL_MS);
      }
    } else if (this.#exchanges.size === 0) {
      this.socket.destroy();
    }
  }

  /** Ends the connection at once. */
  destroy(reason: ConnectionEnd): void {
    this.#endReason = reason;
    this.#session?.destroy();
    this.socket.destroy();
  }

  /** A request was ended because its client did nothing for long: it may not do so for much longer. */
  onCut(): void {
    this.#expectReading(FAREWELL_MS);
  }

  #endWithin(ms: number): void {
    this.#endBy = Math.min(this.#endBy, performance.now() + ms);
  }

  #expectReading(ms: number): void {
    this.#resetsBy = Math.min(this.#resetsBy, performance.now() + ms);
  }

  /** Ends a connection that should be over, or whose peer does not even read that its calls are. */
  #checkEnd(now: number): boolean {
    if (this.#session?.destroyed === true && !this.#session.closed) {
      // It failed. Its "close" waits for the write that is under way, and that for the peer.
      this.#endWithin(FAREWELL_MS);
    }
    if (now > this.#endBy) {
      // The session waits for what will not come: half a frame, or a peer that does not read.
      this.destroy(this.#endReason);
      return true;
    }
    return this.#checkResets(now);
  }

  /** A reset waits while the socket takes nothing. The call is gone by then, but not what it had written. */
  #checkResets(now: number): boolean {
    if (this.#resetsBy === Number.POSITIVE_INFINITY) {
      return false;
    }
    if ((this.#session?.state.outboundQueueSize ?? 0) === 0) {
      this.#resetsBy = Number.POSITIVE_INFINITY;
    } else if (now > this.#resetsBy) {
      this.destroy("dead-peer");
      return true;
    }
    return false;
  }

  #checkCall(call: ServerCall, progress: Progress, now: number): void {
    if (progress.cutAt !== undefined) {
      if (now - progress.cutAt > FAREWELL_MS) {
        this.destroy("dead-peer");
      }
      return;
    }
    const wait = call.peerWait;
    if (wait === undefined) {
      progress.since = Number.POSITIVE_INFINITY;
    } else if (progress.since === Number.POSITIVE_INFINITY || wait.step !== progress.step) {
      progress.step = wait.step;
      progress.since = now;
    } else if (now - progress.since > this.#limits.stallTimeoutMs) {
      progress.cutAt = now;
      this.onCut();
      call.cut(new ConnectError("the client did nothing for too long", Code.DeadlineExceeded));
    }
  }

  /** A peer that sends nothing while it has calls is asked whether it still is there. */
  #checkAlive(now: number): void {
    const { bytesRead } = this.socket;
    if (bytesRead !== this.#bytesRead) {
      this.#bytesRead = bytesRead;
      this.#silentSince = now;
      this.#pingedAt = undefined;
    } else if (this.#pingedAt !== undefined) {
      if (now - this.#pingedAt > this.#limits.keepaliveTimeoutMs) {
        this.destroy("dead-peer");
      }
    } else if (now - this.#silentSince > this.#limits.keepaliveIntervalMs) {
      this.#pingedAt = now;
      // The answer shows as bytes read.
      this.#session?.ping(() => {});
    }
  }

  #countControl(): void {
    if (!this.#control.add()) {
      this.#flood();
    }
  }

  #flood(): void {
    this.#endReason = "flood";
    this.#session?.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM);
  }
}
