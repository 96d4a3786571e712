import { type CallOptions, copyBytes } from "@tvix/castore";
import type { NamedValues, ValueChange } from "@tvix/castore/local";

/** Values under names, in spaces of their own: a `LocalStore` is one. */
export interface NamedSpaces {
  named(space: string): NamedValues;
}

/** Keeps values in memory, for ever: for tests, and for caches that live as long as their process. */
export class MemoryNamedSpaces implements NamedSpaces {
  readonly #spaces = new Map<string, NamedValues>();

  named(space: string): NamedValues {
    const known = this.#spaces.get(space);
    if (known !== undefined) return known;
    const values = new MemoryNamedValues();
    this.#spaces.set(space, values);
    return values;
  }
}

class MemoryNamedValues implements NamedValues {
  readonly #values = new Map<string, Uint8Array>();

  async get(name: string, options: CallOptions = {}): Promise<Uint8Array | undefined> {
    options.signal?.throwIfAborted();
    const value = this.#values.get(name);
    return value && copyBytes(value);
  }

  async put(name: string, value: Uint8Array, options: CallOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    this.#values.set(name, copyBytes(value));
  }

  async update(name: string, change: ValueChange, options: CallOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    const known = this.#values.get(name);
    const value = change(known && copyBytes(known));
    if (value !== undefined) this.#values.set(name, copyBytes(value));
  }
}
