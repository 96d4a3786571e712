import { constants } from "node:os";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** The reason of an abort by a signal. */
export class InterruptedError extends Error {
  override readonly name: string = "InterruptedError";
  readonly signalName: (typeof SIGNALS)[number];

  constructor(signalName: (typeof SIGNALS)[number]) {
    super(`Interrupted by ${signalName}`);
    this.signalName = signalName;
  }

  /** As the system counts: 2 for SIGINT. */
  get signalNumber(): number {
    return constants.signals[this.signalName];
  }
}

/**
 * A signal that the first Ctrl-C, SIGTERM or SIGHUP aborts.
 *
 * After the first one the system's own handling is back, so that a second one ends the process at
 * once, whatever it is busy with.
 */
export function abortOnInterrupt(): AbortSignal {
  const controller = new AbortController();
  const handlers = SIGNALS.map((name) => {
    const handle = (): void => {
      if (name === "SIGHUP" && hangupListeners.size > 0) {
        for (const listener of hangupListeners) listener();
        return;
      }
      for (const [other, handler] of handlers) {
        // Who reads files on SIGHUP may be asked to while it ends: that must not cut its work short.
        if (other === "SIGHUP" && hangupListeners.size > 0) continue;
        process.removeListener(other, handler);
      }
      controller.abort(new InterruptedError(name));
    };
    process.on(name, handle);
    return [name, handle] as const;
  });
  return controller.signal;
}

const hangupListeners = new Set<() => void>();

/**
 * Has SIGHUP call `listener` rather than end the program, as a program without a terminal reads its files
 * again then.
 *
 * @returns ends that
 */
export function onHangup(listener: () => void): () => void {
  hangupListeners.add(listener);
  return () => hangupListeners.delete(listener);
}

/**
 * Settles like `work`, or rejects with the reason of `signal` as soon as that aborts: for work that
 * may take its time to notice. What becomes of it then is nobody's concern any more.
 */
export async function orInterrupt<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop = (): void => {};
  const interrupted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
  });
  signal.addEventListener("abort", stop, { once: true });
  try {
    signal.throwIfAborted();
    return await Promise.race([work, interrupted]);
  } finally {
    signal.removeEventListener("abort", stop);
    work.catch(() => {});
  }
}
