import type { Bzip2Step } from "./bzip2-decoder.js";

/** Asks the thread for the next step of a stream; the first one begins it. */
export interface Bzip2Request {
  /** Which stream. */
  readonly stream: number;
  /** What came since the last step. */
  readonly input: Uint8Array | undefined;
  /** Nothing comes after that. */
  readonly ended: boolean;
}

/** Ends a stream of which no more is wanted. There is no answer. */
export interface Bzip2Farewell {
  readonly stream: number;
  readonly input: "close";
}

/** Answers a request. Bytes are handed over. */
export type Bzip2Reply = { readonly stream: number } & (
  | Bzip2Step
  | { readonly type: "failed"; readonly message: string }
);
