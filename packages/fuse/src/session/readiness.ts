import type { Connection } from "../protocol/init.js";

/** Whether, and how, the kernel has connected. Settles once, by what comes first. */
export class Readiness {
  readonly promise: Promise<Connection | undefined>;
  #resolve: (connection: Connection | undefined) => void = () => {};
  #reject: (error: Error) => void = () => {};

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Nobody has to wait for it.
    this.promise.catch(() => {});
  }

  connected(connection: Connection): void {
    this.#resolve(connection);
  }

  refused(error: Error): void {
    this.#reject(error);
  }

  ended(): void {
    this.#resolve(undefined);
  }
}
