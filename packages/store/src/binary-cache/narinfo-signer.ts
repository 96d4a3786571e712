import type { PathInfo } from "../path-info.js";
import { fingerprint } from "../signature/fingerprint.js";
import { RememberedSigner } from "../signature/remembered-signer.js";
import type { Signature } from "../signature/signature.js";
import type { SigningKey } from "../signature/signing-key.js";
import type { Content } from "./content.js";

/** Signs what is served, without storing it. */
export class NarinfoSigner {
  #signer: RememberedSigner;
  #narinfos = new WeakMap<PathInfo, Content>();

  constructor(keys: readonly SigningKey[]) {
    this.#signer = new RememberedSigner(keys);
  }

  /** From now on others sign. */
  replaceKeys(keys: readonly SigningKey[]): void {
    this.#signer = new RememberedSigner(keys);
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
    if (this.#signer.keys.every(({ keyName }) => names.has(keyName))) return [];
    return this.#signer.sign(text()).filter(({ keyName }) => !names.has(keyName));
  }
}
