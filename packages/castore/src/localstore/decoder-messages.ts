import type { WireError } from "./worker-error.js";

/** What a decoder's thread is started with. */
export interface DecoderThreadData {
  readonly indexFile: string;
  readonly packs: string;
}

/** What answers `WantedContent`, in the order in which they came: the numbers of those not filled. */
export type DecodeReply =
  | { readonly type: "filled"; readonly missed: readonly number[] }
  | { readonly type: "failed"; readonly error: WireError };
