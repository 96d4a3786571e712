import type { DeviceHost } from "./device-host.js";
import { VirtiofsError } from "./virtiofs-error.js";

/** The files that came with a message, in order. Who takes one closes it; the rest is closed here. */
export class MessageFiles {
  readonly #files: number[];
  readonly #host: DeviceHost;
  readonly #name: string;

  /** @param name - of the request, for messages */
  constructor(files: readonly number[], host: DeviceHost, name: string) {
    this.#files = [...files];
    this.#host = host;
    this.#name = name;
  }

  /** @throws {@link VirtiofsError} when too few came */
  take(): number {
    const file = this.#files.shift();
    if (file === undefined) {
      throw new VirtiofsError("message", `Cannot take ${this.#name}: a file is missing`);
    }
    return file;
  }

  /** Takes a file for the time of a call. */
  borrow<T>(use: (file: number) => T): T {
    const file = this.take();
    try {
      return use(file);
    } finally {
      this.#host.close(file);
    }
  }

  /** Closes what nobody took. */
  closeRest(): void {
    for (const file of this.#files.splice(0)) this.#host.close(file);
  }
}
