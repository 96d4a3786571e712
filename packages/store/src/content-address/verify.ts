import type { CallOptions, Node } from "@tvix/castore";
import { type ContentAddress, formatContentAddress } from "../content-address.js";
import { StoreError } from "../errors.js";
import { createHasher } from "../nix-hash/hasher.js";
import { NixHash } from "../nix-hash.js";
import { buildStorePath } from "../store-path/build.js";
import type { StorePath } from "../store-path/store-path.js";
import { ContentAddressError } from "./content-address-error.js";
import { HashModulo, type HashModuloOptions } from "./hash-modulo.js";

/** The claim that a store path follows from its content. A `PathInfo` and a `Narinfo` are such. */
export interface ContentAddressClaim {
  readonly storePath: StorePath;
  readonly contentAddress?: ContentAddress | undefined;
  /** What the content refers to, {@link storePath} included where it does. */
  readonly references: readonly StorePath[];
}

/** Where content is read from, at most once and only as far as the kind of address needs it. */
export interface ContentSource {
  /** The NAR of the path. */
  nar(): AsyncIterable<Uint8Array>;
  /** The bytes of the file that the path is. Called only when it is one. */
  file(): AsyncIterable<Uint8Array>;
}

/**
 * The store path that a claim leads to; that it is the one of the claim is half of what makes the
 * claim true.
 *
 * @throws {@link ContentAddressError} with reason "absent" or "references"
 */
export function storePathOfContentAddress(claim: ContentAddressClaim): StorePath {
  const { storePath } = claim;
  const address = addressOf(claim);
  const references = claim.references.filter((reference) => !reference.equals(storePath));
  const selfReference = references.length < claim.references.length;
  try {
    return buildStorePath(storePath.name, address, { references, selfReference });
  } catch (cause) {
    if (!StoreError.is(cause)) throw cause;
    const why = `${storePath}: ${formatContentAddress(address)} cannot have its references`;
    throw new ContentAddressError("references", why, { cause });
  }
}

/** Whether the store path follows from the address and the references. False for a claim without address. */
export function isContentAddressed(claim: ContentAddressClaim): boolean {
  if (claim.contentAddress === undefined) return false;
  try {
    return storePathOfContentAddress(claim).equals(claim.storePath);
  } catch (error) {
    // Only the references can be at fault, and then no path follows.
    if (error instanceof ContentAddressError) return false;
    throw error;
  }
}

/**
 * Verifies that a store path follows from its content: from its address, and its address from the bytes.
 * Who has this needs no signature to believe the path.
 *
 * A path that is addressed by the SHA-256 of its NAR, and does not refer to itself, is not read: its
 * hash is `narSha256`, **which the caller has verified**. All else is read once. That the references
 * are the ones in the content is not verified, see `ReferenceScanner`.
 *
 * @throws {@link ContentAddressError}
 */
export async function verifyContentAddress(
  claim: ContentAddressClaim & { readonly node: Node; readonly narSha256: Uint8Array },
  content: ContentSource,
  options: CallOptions & HashModuloOptions = {},
): Promise<void> {
  const { storePath } = claim;
  const address = addressOf(claim);
  const derived = storePathOfContentAddress(claim);
  if (!derived.equals(storePath)) {
    throw new ContentAddressError(
      "store-path",
      `${storePath}: ${formatContentAddress(address)} with its references is the address of ${derived}`,
    );
  }
  const actual = await hashOf(claim, address, content, options);
  if (!actual.equals(address.hash)) {
    throw new ContentAddressError(
      "hash",
      `${storePath}: its ${CONTENT_NAMES[address.method]} has the hash ${actual}, not ${address.hash}`,
    );
  }
}

const CONTENT_NAMES = { nar: "NAR", flat: "file", text: "text" } as const;

function addressOf({ storePath, contentAddress }: ContentAddressClaim): ContentAddress {
  if (contentAddress !== undefined) return contentAddress;
  throw new ContentAddressError("absent", `${storePath}: it has none`);
}

async function hashOf(
  claim: Parameters<typeof verifyContentAddress>[0],
  { method, hash }: ContentAddress,
  content: ContentSource,
  options: CallOptions & HashModuloOptions,
): Promise<NixHash> {
  const { storePath, node, narSha256, references } = claim;
  if (method === "nar") {
    const selfReference = references.some((reference) => reference.equals(storePath));
    const plain = NixHash.of("sha256", narSha256);
    if (!selfReference && plain.equals(hash)) return plain;
    // As in Nix, whether or not the path is among its references.
    const modulo = new HashModulo(hash.algorithm, storePath, options);
    for await (const bytes of content.nar()) {
      options.signal?.throwIfAborted();
      modulo.update(bytes);
    }
    return modulo.digest();
  }
  // The executable bit is no part of the address: two paths with one address would differ in it.
  if (node.type !== "file" || node.executable) {
    const why = `${storePath}: it is not a file, or is executable, as no ${method} content is`;
    throw new ContentAddressError("not-a-file", why);
  }
  const hasher = createHasher(hash.algorithm);
  for await (const bytes of content.file()) {
    options.signal?.throwIfAborted();
    hasher.update(bytes);
  }
  return NixHash.of(hash.algorithm, hasher.digest());
}
