import { equalNodes, toLatin1 } from "@tvix/castore";
import { MAX_NARINFO_SIGNATURES } from "../narinfo/narinfo.js";
import { PathInfo } from "../path-info.js";
import { fingerprint } from "../signature/fingerprint.js";
import type { Signature } from "../signature/signature.js";
import { isRootSignature } from "../signed-root/root-signature.js";

/**
 * What is to be stored when `added` is put in the place of `known`: `added`, and what it does not say of
 * the same path with the same NAR and references, which is what signatures vouch for. Of anything else
 * nothing is kept.
 *
 * Signatures of both are kept, those that were known first, up to the number that a narinfo may have; but not those of
 * another root.
 *
 * @internal
 */
export function mergePathInfo(known: PathInfo | undefined, added: PathInfo): PathInfo {
  if (known === undefined || fingerprint(known) !== fingerprint(added)) return added;
  const { storePath, node, references, narSize, narSha256 } = added;
  const kept = equalNodes(known.node, node)
    ? known.signatures
    : known.signatures.filter((signature) => !isRootSignature(signature));
  return PathInfo.of({
    ...{ storePath, node, references, narSize, narSha256 },
    signatures: distinct([...kept, ...added.signatures]),
    deriver: added.deriver ?? known.deriver,
    contentAddress: added.contentAddress ?? known.contentAddress,
  });
}

function distinct(signatures: readonly Signature[]): readonly Signature[] {
  const keyed = signatures.map(
    (signature) => [`${signature.keyName}:${toLatin1(signature.toBytes())}`, signature] as const,
  );
  return [...new Map(keyed).values()].slice(0, MAX_NARINFO_SIGNATURES);
}
