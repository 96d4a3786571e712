/**
 * narinfo: what a binary cache says about one store path.
 *
 *     narinfo = line*
 *     line    = key ": " value "\n"
 *
 *     StorePath    absolute store path                                      needed
 *     URL          where the NAR is, see nar-url.ts                         needed
 *     Compression  of what is there; "bzip2" where it is missing
 *     FileHash     hash of what is there
 *     FileSize     length of what is there
 *     NarHash      SHA-256 of the NAR, see NixHash.parse                    needed
 *     NarSize      length of the NAR                                        needed
 *     References   base names, spaces between them
 *     Deriver      base name, or "unknown-deriver"
 *     System       of the build
 *     Sig          signature, see signature/; any number of these
 *     CA           content address; empty is none
 *
 * Other keys are for others. Signatures cover StorePath, NarHash, NarSize and References; the rest is
 * what the cache says and no more.
 */
import type { ContentAddress } from "../content-address.js";
import { StoreError } from "../errors.js";
import type { NixHash } from "../nix-hash.js";
import type { Signature } from "../signature/signature.js";
import type { StorePath } from "../store-path/store-path.js";

/** Longest narinfo that is read, in bytes: about 40,000 references. The limit of snix is the same. */
export const MAX_NARINFO_BYTES: number = 2 * 1024 * 1024;

/** Most signatures that are read: checking one takes a tenth of a millisecond. */
export const MAX_NARINFO_SIGNATURES = 1000;

/** What a binary cache says about a store path. Fit for `fingerprint()` and `TrustedKeys.verify()`. */
export interface Narinfo {
  readonly storePath: StorePath;
  /**
   * Where the NAR is: a path relative to the cache, or an absolute http(s) URL. It comes from the
   * cache and means nothing to anyone else; never make a file name of it. See `resolveNarUrl()`.
   */
  readonly url: string;
  /** `none`, `xz`, `bzip2`, `zstd`, `gzip`, `br` and whatever else Nix may learn. */
  readonly compression: string;
  /** Hash of what is at {@link url}. */
  readonly fileHash?: NixHash | undefined;
  /** Length in bytes of what is at {@link url}. */
  readonly fileSize?: bigint | undefined;
  /** 32 bytes. */
  readonly narSha256: Uint8Array;
  /** In bytes; not zero. */
  readonly narSize: bigint;
  /** Sorted, each once. */
  readonly references: readonly StorePath[];
  /** The derivation itself: unlike the one of a `PathInfo`, its name ends in `.drv`. */
  readonly deriver?: StorePath | undefined;
  /** Such as `x86_64-linux`. */
  readonly system?: string | undefined;
  readonly signatures: readonly Signature[];
  readonly contentAddress?: ContentAddress | undefined;
}

/** Which rule a text, or a {@link Narinfo} that is to become one, breaks. */
export type InvalidNarinfoReason =
  | "too-large"
  | "no-final-newline"
  | "line"
  | "duplicate-key"
  | "missing-key"
  | "store-path"
  | "url"
  | "compression"
  | "file-hash"
  | "file-size"
  | "nar-hash"
  | "nar-size"
  | "references"
  | "deriver"
  | "system"
  | "too-many-signatures"
  | "content-address";

/** Where in a text a rule is broken. */
export interface NarinfoPlace {
  /** Counted from 1; `undefined` where no line is at fault. */
  readonly line?: number | undefined;
  /** As it is in the text, for known keys; `undefined` where no key is at fault. */
  readonly key?: string | undefined;
}

/** A text that is not a narinfo that can be used safely, or fields that cannot be written as one. */
export class InvalidNarinfoError extends StoreError {
  override readonly name: string = "InvalidNarinfoError";
  readonly reason: InvalidNarinfoReason;
  readonly line: number | undefined;
  readonly key: string | undefined;

  constructor(
    reason: InvalidNarinfoReason,
    why: string,
    options: ErrorOptions & NarinfoPlace = {},
  ) {
    const { line, key, ...rest } = options;
    const place = line === undefined ? "" : ` in line ${line}`;
    super("INVALID_ARGUMENT", `Invalid narinfo${place}: ${why}`, rest);
    this.reason = reason;
    this.line = line;
    this.key = key;
  }
}
