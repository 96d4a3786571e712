import { type CallOptions, encodeNode, type Node, SingleFlight, toLatin1 } from "@tvix/castore";
import { NarLayout } from "./nar-layout.js";
import type { CastoreServices } from "./renderer.js";

/** What the layouts that are remembered may take together by default, in bytes. */
const DEFAULT_MAX_BYTES: number = 64 * 1024 * 1024;

export interface NarLayoutsOptions {
  /** What the layouts that are remembered may take together; 64 MiB by default. */
  readonly maxBytes?: number;
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
  readonly #flights = new SingleFlight<NarLayout>();
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
    if (known === undefined) {
      const make = (signal: AbortSignal) => this.#make(key, root, signal);
      return this.#flights.run(key, make, options.signal);
    }
    this.#layouts.delete(key);
    this.#layouts.set(key, known);
    return known;
  }

  async #make(key: string, root: Node, signal: AbortSignal): Promise<NarLayout> {
    const layout = await NarLayout.of(this.#services, root, { signal });
    this.#remember(key, layout);
    return layout;
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
