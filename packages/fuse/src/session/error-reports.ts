import { opcodeName } from "../protocol/opcodes.js";

/** Which request failed. */
export interface FailedRequest {
  /** Name of its opcode, as `READ`. */
  readonly operation: string;
  readonly nodeId: number;
  /** How many failures were not reported since the last one that was. */
  readonly unreported: number;
}

/** Takes what went wrong in a file system. */
export type OnError = (error: unknown, request: FailedRequest) => void;

/** Reports of one {@link PERIOD_MS}: a disk that is gone fails every request. */
const REPORTS_PER_PERIOD = 20;
const PERIOD_MS = 10_000;

/** Passes failures on, a bounded number of them in any time. */
export class ErrorReports {
  readonly #onError: OnError | undefined;
  #periodStart = Number.NEGATIVE_INFINITY;
  #reported = 0;
  #unreported = 0;

  constructor(onError: OnError | undefined) {
    this.#onError = onError;
  }

  report(error: unknown, opcode: number, nodeId: number): void {
    const onError = this.#onError;
    if (onError === undefined) return;
    const now = Date.now();
    if (Math.abs(now - this.#periodStart) >= PERIOD_MS) {
      this.#periodStart = now;
      this.#reported = 0;
    }
    if (this.#reported >= REPORTS_PER_PERIOD) {
      this.#unreported++;
      return;
    }
    this.#reported++;
    const request = { operation: opcodeName(opcode), nodeId, unreported: this.#unreported };
    this.#unreported = 0;
    // In a turn of its own: what the listener throws is its own business, not that of the request.
    queueMicrotask(() => onError(error, request));
  }
}
