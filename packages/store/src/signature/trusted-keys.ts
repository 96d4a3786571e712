import { fingerprint, type SignedFacts } from "./fingerprint.js";
import type { Signature } from "./signature.js";
import { VerifyingKey } from "./verifying-key.js";

/** Signatures by names of keys that are tried on one text; as each takes time, nobody may send any number of them. */
const MAX_CANDIDATES = 1000;

/** Public keys that are believed. Several may share a name, as during a change of keys. */
export class TrustedKeys {
  readonly keys: readonly VerifyingKey[];
  readonly #byName = new Map<string, VerifyingKey[]>();

  private constructor(keys: readonly VerifyingKey[]) {
    this.keys = Object.freeze(keys);
    for (const key of keys) {
      const namesakes = this.#byName.get(key.keyName);
      if (namesakes === undefined) this.#byName.set(key.keyName, [key]);
      else namesakes.push(key);
    }
  }

  /** A key given twice counts once. */
  static of(keys: Iterable<VerifyingKey>): TrustedKeys {
    return new TrustedKeys([...new Map([...keys].map((key) => [String(key), key])).values()]);
  }

  /**
   * Reads keys with white space between them, as in `trusted-public-keys` of Nix.
   *
   * @throws {@link InvalidKeyError}
   */
  static parse(text: string): TrustedKeys {
    const texts = text.split(/\s+/).filter((part) => part !== "");
    return TrustedKeys.of(texts.map((part) => VerifyingKey.parse(part)));
  }

  /**
   * The signatures that these keys made of what `facts` state: at most one a key, in the given order.
   *
   * @param signatures - those of `facts` by default
   */
  verify(
    facts: SignedFacts & { readonly signatures: readonly Signature[] },
    signatures: readonly Signature[] = facts.signatures,
  ): readonly Signature[] {
    return this.verifyText(() => fingerprint(facts), signatures);
  }

  /**
   * The signatures that these keys made of some text: at most one a key, in the given order.
   *
   * @param text - called when a signature has the name of a key
   */
  verifyText(text: () => string, signatures: readonly Signature[]): readonly Signature[] {
    const candidates = signatures
      .filter((signature) => this.#byName.has(signature.keyName))
      .slice(0, MAX_CANDIDATES);
    if (candidates.length === 0) return [];
    const signed = text();
    const proven = new Set<VerifyingKey>();
    return candidates.filter((signature) => {
      const key = this.#byName
        .get(signature.keyName)
        ?.find((candidate) => !proven.has(candidate) && candidate.verifyText(signed, signature));
      if (key !== undefined) proven.add(key);
      return key !== undefined;
    });
  }
}
