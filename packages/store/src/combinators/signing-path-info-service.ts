import type { CallOptions } from "@tvix/castore";
import { MAX_NARINFO_SIGNATURES } from "../narinfo/narinfo.js";
import { PathInfo } from "../path-info.js";
import type { PathInfoService, PutPathInfoOptions } from "../pathinfoservice/path-info-service.js";
import { fingerprint } from "../signature/fingerprint.js";
import { RememberedSigner } from "../signature/remembered-signer.js";
import type { SigningKey } from "../signature/signing-key.js";

export interface SigningPathInfoOptions {
  /** At least one; each adds a signature. */
  readonly keys: readonly SigningKey[];
  /** Whether what was stored by others is signed, too, when it is read; false by default. Nothing is stored for that. */
  readonly onGet?: boolean;
}

/**
 * Signs path infos on their way into a store, for caches of Nix to be believed. **Whatever is put is signed**: what it says
 * must have been verified, and who may put must be trusted.
 */
export class SigningPathInfoService implements PathInfoService {
  readonly #inner: PathInfoService;
  readonly #signer: RememberedSigner;
  readonly #onGet: boolean;
  /** What the other store gives, and what is given in its place: as long as it gives the same, so does this. */
  readonly #signed = new WeakMap<PathInfo, PathInfo>();

  /** @throws RangeError when there are no keys */
  constructor(inner: PathInfoService, { keys, onGet = false }: SigningPathInfoOptions) {
    if (keys.length === 0) throw new RangeError("Cannot sign path infos: there are no keys");
    this.#inner = inner;
    this.#signer = new RememberedSigner(keys);
    this.#onGet = onGet;
  }

  async get(outputHash: Uint8Array, options: CallOptions = {}): Promise<PathInfo | undefined> {
    return this.#shown(await this.#inner.get(outputHash, options));
  }

  peek(outputHash: Uint8Array): PathInfo | undefined {
    return this.#shown(this.#inner.peek?.(outputHash));
  }

  async put(pathInfo: PathInfo, options: PutPathInfoOptions = {}): Promise<PathInfo> {
    options.signal?.throwIfAborted();
    return await this.#inner.put(this.#sign(pathInfo), options);
  }

  async *list(options: CallOptions = {}): AsyncGenerator<PathInfo, void, undefined> {
    if (!this.#onGet) return yield* this.#inner.list(options);
    for await (const pathInfo of this.#inner.list(options)) yield this.#sign(pathInfo);
  }

  #shown(pathInfo: PathInfo | undefined): PathInfo | undefined {
    if (pathInfo === undefined || !this.#onGet) return pathInfo;
    const known = this.#signed.get(pathInfo);
    if (known !== undefined) return known;
    const signed = this.#sign(pathInfo);
    this.#signed.set(pathInfo, signed);
    return signed;
  }

  /** By each key once: a key makes one signature of a text, always the same. What others signed makes room. */
  #sign(pathInfo: PathInfo): PathInfo {
    const present = pathInfo.signatures;
    const added = this.#signer
      .sign(fingerprint(pathInfo))
      .filter((signature) => !present.some((known) => known.equals(signature)));
    if (added.length === 0) return pathInfo;
    const { storePath, node, references, narSize, narSha256, deriver, contentAddress } = pathInfo;
    const kept = present.slice(0, Math.max(0, MAX_NARINFO_SIGNATURES - added.length));
    return PathInfo.of({
      ...{ storePath, node, references, narSize, narSha256, deriver, contentAddress },
      signatures: [...kept, ...added],
    });
  }
}
