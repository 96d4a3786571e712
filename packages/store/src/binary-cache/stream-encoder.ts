import { availableEncodings, encodeStream } from "../compression/encode-content.js";
import type { ContentEncoder } from "./content.js";

/** Compresses with whatever the machine can. */
export const STREAM_ENCODER: ContentEncoder = {
  get codings() {
    return availableEncodings();
  },
  encode: encodeStream,
};

/** Never compresses: for texts that fit into a packet. */
export const NO_ENCODER: ContentEncoder = { codings: [], encode: (_, source) => source };
