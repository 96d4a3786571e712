import type { PathInfo } from "../path-info.js";
import { fingerprint } from "../signature/fingerprint.js";
import type { Signature } from "../signature/signature.js";
import type { SigningKey } from "../signature/signing-key.js";
import type { Content } from "./content.js";

/** Signatures that are remembered: making one takes as long as all the rest of a narinfo. */
const MAX_REMEMBERED = 16_384;

/** Signs what is served, without storing it. */
export class NarinfoSigner {
  #keys: readonly SigningKey[];
  /** By fingerprint; the oldest first. */
  readonly #remembered = new Map<string, readonly Signature[]>();
  #narinfos = new WeakMap<PathInfo, Content>();

  constructor(keys: readonly SigningKey[]) {
    this.#keys = keys;
  }

  /** From now on others sign. */
  replaceKeys(keys: readonly SigningKey[]): void {
    this.#keys = keys;
    this.#remembered.clear();
    this.#narinfos = new WeakMap();
  }

  /** Narinfos that were served with signatures by these keys, for as long as somebody holds their path infos. */
  get narinfos(): WeakMap<PathInfo, Content> {
    return this.#narinfos;
  }

  /** A signature by each key whose name no signature of `pathInfo` has. */
  sign(pathInfo: PathInfo): readonly Signature[] {
    return this.#signMissing(() => fingerprint(pathInfo), pathInfo.signatures);
  }

  /** {@link sign} for another text than that of a path info, which has `present` already. */
  signText(text: string, present: readonly Signature[]): readonly Signature[] {
    return this.#signMissing(() => text, present);
  }

  #signMissing(text: () => string, present: readonly Signature[]): readonly Signature[] {
    const names = new Set(present.map(({ keyName }) => keyName));
    if (this.#keys.every(({ keyName }) => names.has(keyName))) return [];
    return this.#signatures(text()).filter(({ keyName }) => !names.has(keyName));
  }

  #signatures(text: string): readonly Signature[] {
    const known = this.#remembered.get(text);
    if (known !== undefined) return known;
    const signatures = this.#keys.map((key) => key.signText(text));
    if (this.#remembered.size >= MAX_REMEMBERED) {
      const [oldest] = this.#remembered.keys();
      if (oldest !== undefined) this.#remembered.delete(oldest);
    }
    this.#remembered.set(text, signatures);
    return signatures;
  }
}
