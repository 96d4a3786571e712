import type { StoreCounters } from "@tvix/castore/local";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

/** Seconds; from a lookup in the index to an upload of gigabytes. */
const DURATION_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60];

/** Label of methods that nobody serves: a peer must not be able to make new series. */
const UNKNOWN_METHOD = "unknown";

/** What a call amounted to. */
export interface CallFigures {
  /** `/SERVICE/METHOD`. */
  readonly path: string;
  /** Name of the gRPC status, `ok` for success. */
  readonly code: string;
  readonly seconds: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export interface MetricsOptions {
  /** Methods that are served, as `/SERVICE/METHOD`. */
  readonly methods: readonly string[];
  /** What was written to the store since it was opened. */
  readonly storeCounters: () => StoreCounters;
  readonly version: string;
}

/** Counts for Prometheus. Loaded only when they are served. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #methods: ReadonlySet<string>;
  readonly #calls: Counter<"method" | "code">;
  readonly #duration: Histogram<"method">;
  readonly #running: Gauge<"method">;
  readonly #received: Counter<"method">;
  readonly #sent: Counter<"method">;
  readonly #accepted: Counter<"transport">;
  readonly #open: Gauge<"transport">;
  readonly #ended: Counter<"reason">;
  readonly #refused: Counter;
  readonly #pages: Counter<"route" | "status">;

  constructor({ methods, storeCounters, version }: MetricsOptions) {
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    this.#methods = new Set(methods);
    this.#calls = new Counter({
      name: "tvix_rpc_calls_total",
      help: "Calls that have ended, by method and gRPC status",
      labelNames: ["method", "code"],
      registers,
    });
    this.#duration = new Histogram({
      name: "tvix_rpc_duration_seconds",
      help: "How long calls took, from the head of the request to the end of the response",
      labelNames: ["method"],
      buckets: DURATION_BUCKETS,
      registers,
    });
    this.#running = new Gauge({
      name: "tvix_rpc_running_calls",
      help: "Calls that have begun and not ended",
      labelNames: ["method"],
      registers,
    });
    this.#received = new Counter({
      name: "tvix_rpc_received_bytes_total",
      help: "Bytes of messages that were received by gRPC",
      labelNames: ["method"],
      registers,
    });
    this.#sent = new Counter({
      name: "tvix_rpc_sent_bytes_total",
      help: "Bytes of messages that were sent by gRPC",
      labelNames: ["method"],
      registers,
    });
    this.#accepted = new Counter({
      name: "tvix_connections_total",
      help: "Connections that were accepted",
      labelNames: ["transport"],
      registers,
    });
    this.#open = new Gauge({
      name: "tvix_connections",
      help: "Connections that are open",
      labelNames: ["transport"],
      registers,
    });
    this.#ended = new Counter({
      name: "tvix_connections_ended_total",
      help: "Connections that have ended, by the reason",
      labelNames: ["reason"],
      registers,
    });
    this.#refused = new Counter({
      name: "tvix_connections_refused_total",
      help: "Connections that were closed at once because there were too many",
      registers,
    });
    this.#pages = new Counter({
      name: "tvix_http_requests_total",
      help: "Requests that were no calls, by what is at their path and by HTTP status; 0 is none",
      labelNames: ["route", "status"],
      registers,
    });
    this.#addStoreCounters(storeCounters);
    const info = new Gauge({
      name: "tvix_build_info",
      help: "Always 1; the version is a label",
      labelNames: ["version"],
      registers,
    });
    info.set({ version }, 1);
    this.#prime();
  }

  /** @param route - of a bounded set: what is at a path, not the path */
  pageServed(route: string, status: number): void {
    this.#pages.inc({ route, status });
  }

  /** What a scrape gets. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  async text(): Promise<string> {
    return await this.#registry.metrics();
  }

  /** Takes note of a connection. @returns what is called with the reason when it has ended */
  connectionOpened(transport: "tcp" | "unix"): (reason: string) => void {
    this.#accepted.inc({ transport });
    this.#open.inc({ transport });
    return (reason) => {
      this.#open.dec({ transport });
      this.#ended.inc({ reason });
    };
  }

  /** Takes note of a connection that there was no room for. */
  connectionRefused(): void {
    this.#refused.inc();
  }

  callBegan(path: string): void {
    this.#running.inc({ method: this.#label(path) });
  }

  callEnded({ path, code, seconds, bytesIn, bytesOut }: CallFigures): void {
    const method = this.#label(path);
    this.#running.dec({ method });
    this.#calls.inc({ method, code });
    this.#duration.observe({ method }, seconds);
    this.#received.inc({ method }, bytesIn);
    this.#sent.inc({ method }, bytesOut);
  }

  #label(path: string): string {
    return this.#methods.has(path) ? path.slice(1) : UNKNOWN_METHOD;
  }

  /** Series that exist from the start: a rate over one that appears with its first event misses that. */
  #prime(): void {
    for (const method of [...this.#methods, UNKNOWN_METHOD].map((path) => this.#label(path))) {
      this.#calls.inc({ method, code: "ok" }, 0);
      this.#running.set({ method }, 0);
    }
    for (const transport of ["tcp", "unix"]) {
      this.#accepted.inc({ transport }, 0);
      this.#open.set({ transport }, 0);
    }
  }

  #addStoreCounters(counters: () => StoreCounters): void {
    const figures = [
      ["records_total", "Records", "records"],
      ["raw_bytes_total", "Bytes of records before compression", "rawBytes"],
      ["stored_bytes_total", "Bytes of records as they are stored", "storedBytes"],
    ] as const;
    for (const [suffix, what, field] of figures) {
      // The store counts for itself: its figures are taken over when somebody looks.
      const counter: Counter<"state"> = new Counter({
        name: `tvix_store_${suffix}`,
        help: `${what} that came in since the start: new ones, and those that were known`,
        labelNames: ["state"],
        registers: [this.#registry],
        collect: () => {
          const { added, known } = counters();
          counter.reset();
          counter.inc({ state: "added" }, added[field]);
          counter.inc({ state: "known" }, known[field]);
        },
      });
    }
  }
}
