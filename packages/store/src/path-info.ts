import { copyBytes, type Node } from "@tvix/castore";
import type { ContentAddress } from "./content-address.js";
import { StoreError } from "./errors.js";
import { SHA256_LENGTH } from "./sha256/sha256.js";
import type { Signature } from "./signature/signature.js";
import type { StorePath } from "./store-path/store-path.js";

/** Largest size of a NAR: Nix keeps it as a signed 64-bit number. */
export const MAX_NAR_SIZE: bigint = 2n ** 63n - 1n;

/** Which rule a path info, or an encoding of one, breaks; the order is that of the checks. */
export type InvalidPathInfoReason =
  | "too-large"
  | "malformed"
  | "not-canonical"
  | "missing-narinfo"
  | "reference-length"
  | "reference-count"
  | "reference-name"
  | "reference-mismatch"
  | "missing-node"
  | "invalid-node"
  | "invalid-node-name"
  | "nar-sha256-length"
  | "invalid-deriver"
  | "signature-length"
  | "ca-type"
  | "ca-length"
  | "nar-size";

/** A path info that breaks a rule. */
export class InvalidPathInfoError extends StoreError {
  override readonly name: string = "InvalidPathInfoError";
  readonly reason: InvalidPathInfoReason;

  constructor(reason: InvalidPathInfoReason, message: string, options?: ErrorOptions) {
    super("INVALID_ARGUMENT", `Invalid path info: ${message}`, options);
    this.reason = reason;
  }
}

/** What a {@link PathInfo} is made of. */
export interface PathInfoFields {
  readonly storePath: StorePath;
  /** The content. */
  readonly node: Node;
  /** Store paths that the content refers to, itself included; kept in this order. None by default. */
  readonly references?: readonly StorePath[];
  readonly narSize: bigint;
  /** 32 bytes; copied. */
  readonly narSha256: Uint8Array;
  /** None by default. */
  readonly signatures?: readonly Signature[];
  /** What built it; the name lacks the `.drv` that the derivation's own path ends in. */
  readonly deriver?: StorePath | undefined;
  /** Present when the store path follows from the content. */
  readonly contentAddress?: ContentAddress | undefined;
}

/**
 * What is known about one store path. Immutable.
 *
 * Not checked, as in tvix: whether signatures are right, whether the store path follows from the
 * content address, whether references are sorted or unique.
 */
export class PathInfo {
  readonly storePath: StorePath;
  readonly node: Node;
  readonly references: readonly StorePath[];
  readonly narSize: bigint;
  readonly signatures: readonly Signature[];
  readonly deriver: StorePath | undefined;
  readonly contentAddress: ContentAddress | undefined;
  readonly #narSha256: Uint8Array;

  private constructor(fields: PathInfoFields) {
    this.storePath = fields.storePath;
    this.node = fields.node;
    this.references = Object.freeze([...(fields.references ?? [])]);
    this.narSize = fields.narSize;
    this.#narSha256 = copyBytes(fields.narSha256);
    this.signatures = Object.freeze([...(fields.signatures ?? [])]);
    this.deriver = fields.deriver;
    this.contentAddress = fields.contentAddress;
  }

  /**
   * @throws {@link InvalidPathInfoError} with reason "nar-size" or "nar-sha256-length"; the parts
   *   cannot be wrong in themselves
   */
  static of(fields: PathInfoFields): PathInfo {
    if (fields.narSize < 0n || fields.narSize > MAX_NAR_SIZE) {
      throw new InvalidPathInfoError(
        "nar-size",
        `the NAR size ${fields.narSize} is not between 0 and 2^63-1`,
      );
    }
    if (fields.narSha256.byteLength !== SHA256_LENGTH) {
      throw new InvalidPathInfoError(
        "nar-sha256-length",
        `the NAR hash has ${fields.narSha256.byteLength} bytes, not ${SHA256_LENGTH}`,
      );
    }
    return new PathInfo(fields);
  }

  /** SHA-256 of the NAR: a copy, 32 bytes. */
  get narSha256(): Uint8Array {
    return copyBytes(this.#narSha256);
  }
}
