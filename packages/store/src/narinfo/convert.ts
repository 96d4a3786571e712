import { type Node, toLatin1 } from "@tvix/castore";
import type { NixHash } from "../nix-hash.js";
import { PathInfo } from "../path-info.js";
import { isKeyName } from "../signature/key-text.js";
import type { Signature } from "../signature/signature.js";
import { isRootSignature } from "../signed-root/root-signature.js";
import { sortedStorePaths } from "../store-path/sorted.js";
import { MAX_STORE_PATH_NAME_LENGTH, StorePath } from "../store-path/store-path.js";
import type { Narinfo } from "./narinfo.js";

/** What a cache adds to a path info to make a narinfo of it. */
export interface NarinfoOptions {
  /** Where the NAR is, see {@link Narinfo.url}. */
  readonly url: string;
  /** Of what is there. */
  readonly compression: string;
  /** Hash of what is there. */
  readonly fileHash: NixHash;
  /** Length of what is there, in bytes. */
  readonly fileSize: bigint;
  /** Besides those of the path info, such as one made on the spot. None by default. */
  readonly signatures?: readonly Signature[];
}

/** Names of derivations end in this; a path info leaves it out. */
const DERIVATION_SUFFIX = ".drv";

/**
 * The narinfo of `pathInfo` in a cache.
 *
 * Left out is what Nix could not read: a signature under a name that no key may have, and a
 * deriver whose name has no room for its suffix; and signatures of roots, which a narinfo does not have.
 */
export function narinfoFromPathInfo(pathInfo: PathInfo, options: NarinfoOptions): Narinfo {
  const { storePath, narSha256, narSize, references, contentAddress } = pathInfo;
  const { url, compression, fileHash, fileSize, signatures = [] } = options;
  const deriver = pathInfo.deriver && derivationOf(pathInfo.deriver);
  return {
    storePath,
    url,
    compression,
    fileHash,
    fileSize,
    narSha256,
    narSize,
    references: sortedStorePaths(references),
    ...(deriver === undefined ? {} : { deriver }),
    signatures: distinct([...pathInfo.signatures, ...signatures]).filter(
      (signature) => isKeyName(signature.keyName) && !isRootSignature(signature),
    ),
    ...(contentAddress === undefined ? {} : { contentAddress }),
  };
}

/**
 * The path info of a path that a cache has described and whose content is `node`. Whether anything of it
 * is true is for the caller to find out. A deriver that is no derivation is left out, as a path info
 * has no place for it.
 */
export function pathInfoFromNarinfo(narinfo: Narinfo, node: Node): PathInfo {
  const { storePath, references, narSize, narSha256, signatures, contentAddress } = narinfo;
  return PathInfo.of({
    storePath,
    node,
    references,
    narSize,
    narSha256,
    signatures: distinct(signatures),
    deriver: narinfo.deriver && deriverOf(narinfo.deriver),
    contentAddress,
  });
}

function derivationOf(deriver: StorePath): StorePath | undefined {
  const name = deriver.name + DERIVATION_SUFFIX;
  if (name.length > MAX_STORE_PATH_NAME_LENGTH) return undefined;
  return StorePath.of(deriver.digestBytes(), name);
}

function deriverOf(derivation: StorePath): StorePath | undefined {
  const { name } = derivation;
  if (!name.endsWith(DERIVATION_SUFFIX) || name === DERIVATION_SUFFIX) return undefined;
  return StorePath.of(derivation.digestBytes(), name.slice(0, -DERIVATION_SUFFIX.length));
}

/** Keeps one of equal signatures. */
function distinct(signatures: readonly Signature[]): readonly Signature[] {
  const keyed = signatures.map(
    (signature) => [signature.keyName + toLatin1(signature.toBytes()), signature] as const,
  );
  return [...new Map(keyed).values()];
}
