import type { ShortChunks } from "./short-chunks.js";
import type { WireError } from "./worker-error.js";

/** What a decoder's thread is started with. */
export interface DecoderThreadData {
  readonly indexFile: string;
  readonly packs: string;
}

/** What answers `WantedChunks`, in the order in which they came; the memory is handed over. */
export type DecodeReply =
  | ({ readonly type: "decoded" } & ShortChunks)
  | { readonly type: "failed"; readonly error: WireError };
