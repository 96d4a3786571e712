import {
  abortable,
  type CallOptions,
  equalNodes,
  orAbort,
  SingleFlight,
  toLatin1,
} from "@tvix/castore";
import { StoreError } from "../errors.js";
import type { PathInfo } from "../path-info.js";
import { assertOutputHash } from "../pathinfoservice/output-hash.js";
import type { PathInfoService, PutPathInfoOptions } from "../pathinfoservice/path-info-service.js";
import { fingerprint } from "../signature/fingerprint.js";
import { type SignaturePolicy, signatureProblem } from "../signed-root/signature-policy.js";
import { type ContentProof, verifyPathInfo } from "../signed-root/verify-path-info.js";
import { encodePathInfo } from "../wire/path-info-codec.js";
import { assertSamePath } from "./assert-same-path.js";

export interface VerifiedPathInfoOptions {
  /** Who is believed. There is no default: to believe anybody has to be said. */
  readonly signatures: SignaturePolicy;
  /**
   * Where the content is read, all of it and once, of a path whose root nobody who is trusted has signed. Without this,
   * that such a root has the NAR that is signed is for whoever reads it.
   */
  readonly content?: ContentProof;
}

/** Path infos that are remembered to have proved themselves. */
const MAX_PROVEN = 16_384;

/**
 * Path infos of a store that nobody trusts: they must be of the path that was asked for, and signed as the policy says.
 * A call that is aborted ends, whether the store listens or not.
 */
export class VerifiedPathInfoService implements PathInfoService {
  readonly #inner: PathInfoService;
  readonly #options: VerifiedPathInfoOptions;
  readonly #proofs = new SingleFlight<void>();
  /** Encoded; the oldest first. */
  readonly #proven = new Set<string>();

  constructor(inner: PathInfoService, options: VerifiedPathInfoOptions) {
    this.#inner = inner;
    this.#options = options;
  }

  /** @throws {@link StoreError} "PERMISSION_DENIED" when nobody who is trusted has signed it, "CORRUPT" */
  async get(outputHash: Uint8Array, options: CallOptions = {}): Promise<PathInfo | undefined> {
    assertOutputHash(outputHash);
    options.signal?.throwIfAborted();
    const pathInfo = await orAbort(this.#inner.get(outputHash, options), options.signal);
    if (pathInfo === undefined) return undefined;
    assertSamePath(outputHash, pathInfo);
    this.#assertSigned(pathInfo);
    const { content } = this.#options;
    if (content !== undefined) await this.#prove(pathInfo, content, options);
    return pathInfo;
  }

  async put(pathInfo: PathInfo, options: PutPathInfoOptions = {}): Promise<PathInfo> {
    options.signal?.throwIfAborted();
    const stored = await orAbort(this.#inner.put(pathInfo, options), options.signal);
    const isIt =
      fingerprint(stored) === fingerprint(pathInfo) && equalNodes(stored.node, pathInfo.node);
    if (isIt) return stored;
    throw new StoreError(
      "CORRUPT",
      `Cannot store the path info of ${pathInfo.storePath}: the store answers with another one`,
    );
  }

  /** Leaves out those that are not signed as the policy says. No content is read. */
  async *list(options: CallOptions = {}): AsyncGenerator<PathInfo, void, undefined> {
    for await (const pathInfo of abortable(this.#inner.list(options), options.signal)) {
      if (signatureProblem(pathInfo, this.#options.signatures) === undefined) yield pathInfo;
    }
  }

  #assertSigned(pathInfo: PathInfo): void {
    const problem = signatureProblem(pathInfo, this.#options.signatures);
    if (problem === undefined) return;
    throw new StoreError("PERMISSION_DENIED", `Cannot trust ${pathInfo.storePath}: ${problem}`);
  }

  async #prove(pathInfo: PathInfo, content: ContentProof, options: CallOptions): Promise<void> {
    const key = toLatin1(encodePathInfo(pathInfo));
    if (this.#proven.has(key)) return;
    const prove = async (signal: AbortSignal): Promise<void> => {
      await verifyPathInfo(pathInfo, this.#options.signatures, content, { signal });
    };
    await this.#proofs.run(key, prove, options.signal);
    this.#proven.add(key);
    const [oldest] = this.#proven;
    if (this.#proven.size > MAX_PROVEN && oldest !== undefined) this.#proven.delete(oldest);
  }
}
