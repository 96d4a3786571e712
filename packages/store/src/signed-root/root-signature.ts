import { PathInfo } from "../path-info.js";
import { Signature } from "../signature/signature.js";
import type { SigningKey } from "../signature/signing-key.js";
import type { TrustedKeys } from "../signature/trusted-keys.js";
import { type RootFacts, rootFingerprint } from "./root-fingerprint.js";

/**
 * What stands before the name of the key in the name of a root signature. Only characters that every reader of
 * narinfos takes, in case an old server puts the signature into one.
 */
const MARK = "castore-root-1.";
/** Of this version and of those to come. */
const ANY_MARK = /^castore-root-[0-9]+\./;

/** Whether a signature is about a root, in whatever version; it says nothing about a NAR then. */
export function isRootSignature({ keyName }: Signature): boolean {
  return ANY_MARK.test(keyName);
}

/** Name of the key that is said to have made a root signature; `undefined` for other signatures and other versions. */
export function rootKeyName({ keyName }: Signature): string | undefined {
  return keyName.startsWith(MARK) ? keyName.slice(MARK.length) : undefined;
}

/**
 * Signs that the content of a store path is its root node: whoever trusts the key can use parts of it without having
 * computed its NAR. The caller must know that it is so.
 */
export function signRoot(facts: RootFacts, key: SigningKey): Signature {
  return markRoot(key.signText(rootFingerprint(facts)));
}

function markRoot(signature: Signature): Signature {
  return Signature.of(MARK + signature.keyName, signature.toBytes());
}

/**
 * The signatures of `facts` by which these keys vouch for its root: at most one a key, in the given order. Those of
 * versions that are not known are left aside.
 */
export function verifyRoot(
  keys: TrustedKeys,
  facts: RootFacts & { readonly signatures: readonly Signature[] },
): readonly Signature[] {
  const byPlain = new Map<Signature, Signature>();
  for (const signature of facts.signatures) {
    const keyName = rootKeyName(signature);
    if (keyName === undefined) continue;
    byPlain.set(Signature.of(keyName, signature.toBytes()), signature);
  }
  const right = keys.verifyText(() => rootFingerprint(facts), [...byPlain.keys()]);
  return right.flatMap((plain) => byPlain.get(plain) ?? []);
}

/**
 * `pathInfo` with a root signature by each key that has not made one: where there is none by its name, or where that
 * is wrong. The caller must know that the root is the right one.
 */
export function withRootSignatures(pathInfo: PathInfo, keys: readonly SigningKey[]): PathInfo {
  const added = keys.flatMap((key) => {
    const signature = signRoot(pathInfo, key);
    // A key makes one signature of a text, always the same.
    return pathInfo.signatures.some((known) => known.equals(signature)) ? [] : [signature];
  });
  if (added.length === 0) return pathInfo;
  const { storePath, node, references, narSize, narSha256, deriver, contentAddress } = pathInfo;
  const fields = { storePath, node, references, narSize, narSha256, deriver, contentAddress };
  return PathInfo.of({ ...fields, signatures: [...pathInfo.signatures, ...added] });
}
