import {
  type CallOptions,
  encodeNode,
  LastUsed,
  type Node,
  SingleFlight,
  toLatin1,
} from "@tvix/castore";
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
  readonly #layouts: LastUsed<string, NarLayout>;
  readonly #flights = new SingleFlight<NarLayout>();

  constructor(services: CastoreServices, options: NarLayoutsOptions = {}) {
    this.#services = services;
    this.#maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
    this.#layouts = new LastUsed(this.#maxBytes, ({ memoryBytes }) => memoryBytes);
  }

  /** What the layouts that are remembered take, in bytes. */
  get bytes(): number {
    return this.#layouts.weight;
  }

  /** The layout of `root`. @throws like {@link NarLayout.of} */
  async get(root: Node, options: CallOptions = {}): Promise<NarLayout> {
    options.signal?.throwIfAborted();
    const key = toLatin1(encodeNode(root));
    const known = this.#layouts.get(key);
    if (known !== undefined) return known;
    const make = (signal: AbortSignal) => this.#make(key, root, signal);
    return this.#flights.run(key, make, options.signal);
  }

  async #make(key: string, root: Node, signal: AbortSignal): Promise<NarLayout> {
    const layout = await NarLayout.of(this.#services, root, { signal });
    // One that there is no room for is not to push out all others.
    if (layout.memoryBytes <= this.#maxBytes) this.#layouts.add(key, layout);
    return layout;
  }
}
