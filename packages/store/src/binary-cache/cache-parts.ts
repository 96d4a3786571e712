import type { NamedValues } from "@tvix/castore/local";
import type { FileCompression } from "../compression/encoder.js";
import type { NarLayouts } from "../nar/nar-layouts.js";
import type { CastoreServices } from "../nar/renderer.js";
import type { NarCalculationService } from "../nar-calculation.js";
import type { NarRoots } from "../nar-roots/nar-roots.js";
import type { PathInfoService } from "../pathinfoservice/path-info-service.js";
import type { SigningKey } from "../signature/signing-key.js";
import type { TrustedKeys } from "../signature/trusted-keys.js";
import type { CompressedNars } from "./compressed-nars.js";
import type { KeptNars } from "./kept-nars.js";
import type { NamedSpaces } from "./named-spaces.js";
import type { NarinfoSigner } from "./narinfo-signer.js";

/** Services whose promises fulfil before what was given is durable; what waits for that is `durable()`. */
export interface StagedServices extends CastoreServices {
  durable(): Promise<void>;
}

/** What a binary cache serves, and where uploads go. */
export interface BinaryCacheServices extends CastoreServices {
  readonly pathInfos: PathInfoService;
  readonly narRoots: NarRoots;
  readonly calculateNar: NarCalculationService;
  /** Shared with whoever else reads NARs in part; a cache makes its own by default. */
  readonly layouts?: NarLayouts;
  /**
   * Where uploads go, if their content can be made durable together, before what is put into {@link narRoots}
   * and {@link calculateNar} later; otherwise where everything is.
   */
  readonly stage?: () => StagedServices;
  /** Where it is noted which blob is the log of which build, and realisations; in memory by default. */
  readonly values?: NamedSpaces;
}

/** How a binary cache behaves. */
export interface BinaryCacheOptions {
  /** Lower is asked first; 39 by default, one before the public cache of Nix. */
  readonly priority?: number;
  /** Whether clients may ask for many paths that may not be there; true by default. */
  readonly wantMassQuery?: boolean;
  /** Add a signature each to every narinfo that is served, where it has none by a key of that name. */
  readonly signingKeys?: readonly SigningKey[];
  /**
   * Whose signatures uploads need: one of these, unless the path follows from its content. Without
   * these, everybody who may write is believed.
   */
  readonly trustedKeys?: TrustedKeys | undefined;
  /** Whether an upload may only refer to paths that are known, and to itself; true by default. */
  readonly checkReferences?: boolean;
  /**
   * Whether the content of an upload is searched for the paths that its narinfo names, and for its own; "off"
   * by default, and always for paths whose address proves their references. What differs is told to
   * {@link warn}, or refused. Nix itself may upload such paths: references that were stated by hand, or
   * content that was changed since.
   */
  readonly scanReferences?: "off" | "warn" | "refuse";
  /** Is told in one line what is suspicious about an upload that was taken; nobody by default. */
  readonly warn?: (message: string) => void;
  /** Most bytes of a NAR that is uploaded, after decompression; 1 TiB by default. */
  readonly maxNarSize?: bigint;
  /**
   * How the NARs are compressed that narinfos lead to; "none" by default. Each is compressed once, in the
   * background, and the file is kept as a blob.
   */
  readonly compression?: FileCompression | "none";
  /**
   * How long a narinfo waits for its file to be compressed, in milliseconds; then it leads to the NAR as
   * it is. 15,000 by default.
   */
  readonly compressionWait?: number;
  /** Is told of failures that no request fails of, such as a NAR that could not be compressed. */
  readonly onError?: (error: unknown) => void;
}

/**
 * What the routes of a cache work with.
 *
 * @internal
 */
export interface CacheParts extends Required<Omit<BinaryCacheServices, "values">> {
  /** By base name of the derivation. */
  readonly buildLogs: NamedValues;
  /** By id. */
  readonly realisations: NamedValues;
  /** Files that clients may have been told of, whatever is set now. */
  readonly keptNars: KeptNars;
  /** `undefined` where narinfos lead to NARs as they are. */
  readonly compressedNars: CompressedNars | undefined;
  readonly options: Required<
    Omit<BinaryCacheOptions, "signingKeys" | "compression" | "compressionWait" | "onError">
  >;
  readonly signer: NarinfoSigner;
}
