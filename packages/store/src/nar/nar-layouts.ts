import { type CallOptions, encodeNode, type Node, toLatin1 } from "@tvix/castore";
import { NarLayout } from "./nar-layout.js";
import type { CastoreServices } from "./renderer.js";

/** What the layouts that are remembered may take together by default, in bytes. */
const DEFAULT_MAX_BYTES: number = 64 * 1024 * 1024;

export interface NarLayoutsOptions {
  /** What the layouts that are remembered may take together; 64 MiB by default. */
  readonly maxBytes?: number;
}

/** A layout that is being made, for all who asked meanwhile. */
interface Flight {
  readonly layout: Promise<NarLayout>;
  readonly controller: AbortController;
  waiting: number;
}

/**
 * Remembers the layouts of the roots that were asked for last. Who asks while a layout is being made
 * gets the same one; it is given up only when nobody waits for it any more. Failures are not
 * remembered.
 */
export class NarLayouts {
  readonly #services: CastoreServices;
  readonly #maxBytes: number;
  /** The one that was used last comes last. */
  readonly #layouts = new Map<string, NarLayout>();
  readonly #flights = new Map<string, Flight>();
  #bytes = 0;

  constructor(services: CastoreServices, options: NarLayoutsOptions = {}) {
    this.#services = services;
    this.#maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
  }

  /** What the layouts that are remembered take, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The layout of `root`. @throws like {@link NarLayout.of} */
  async get(root: Node, options: CallOptions = {}): Promise<NarLayout> {
    options.signal?.throwIfAborted();
    const key = toLatin1(encodeNode(root));
    const known = this.#layouts.get(key);
    if (known === undefined) return this.#join(this.#flight(key, root), options.signal);
    this.#layouts.delete(key);
    this.#layouts.set(key, known);
    return known;
  }

  #flight(key: string, root: Node): Flight {
    const known = this.#flights.get(key);
    // One that is given up has not always ended by now.
    if (known !== undefined && !known.controller.signal.aborted) return known;
    const controller = new AbortController();
    const layout = NarLayout.of(this.#services, root, { signal: controller.signal });
    const flight = { layout, controller, waiting: 0 };
    this.#flights.set(key, flight);
    const land = () => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
    };
    layout.then((made) => {
      land();
      this.#remember(key, made);
    }, land);
    return flight;
  }

  async #join(flight: Flight, signal: AbortSignal | undefined): Promise<NarLayout> {
    flight.waiting++;
    try {
      return await orAbort(flight.layout, signal);
    } finally {
      flight.waiting--;
      if (flight.waiting === 0) flight.controller.abort();
    }
  }

  #remember(key: string, layout: NarLayout): void {
    if (layout.memoryBytes > this.#maxBytes || this.#layouts.has(key)) return;
    this.#layouts.set(key, layout);
    this.#bytes += layout.memoryBytes;
    for (const [oldKey, old] of this.#layouts) {
      if (this.#bytes <= this.#maxBytes) return;
      this.#layouts.delete(oldKey);
      this.#bytes -= old.memoryBytes;
    }
  }
}

/** Settles like `result`, or rejects with the reason of `signal` when that aborts first. */
async function orAbort<T>(result: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return result;
  let onAbort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
  });
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([result, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
