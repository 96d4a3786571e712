import type { Signature } from "./signature.js";
import type { SigningKey } from "./signing-key.js";

/** Signatures that are remembered: making one takes as long as all the rest of a narinfo. */
const MAX_REMEMBERED = 16_384;

/** Signs texts with several keys, the same text only once. */
export class RememberedSigner {
  readonly keys: readonly SigningKey[];
  /** By text; the oldest first. */
  readonly #remembered = new Map<string, readonly Signature[]>();

  constructor(keys: readonly SigningKey[]) {
    this.keys = keys;
  }

  /** The signatures of a text by all keys, in their order. */
  sign(text: string): readonly Signature[] {
    const known = this.#remembered.get(text);
    if (known !== undefined) return known;
    const signatures = this.keys.map((key) => key.signText(text));
    if (this.#remembered.size >= MAX_REMEMBERED) {
      const [oldest] = this.#remembered.keys();
      if (oldest !== undefined) this.#remembered.delete(oldest);
    }
    this.#remembered.set(text, signatures);
    return signatures;
  }
}
