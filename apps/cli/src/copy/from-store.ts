import { type CallOptions, equalBytes, Semaphore } from "@tvix/castore";
import {
  hasTrustedRoot,
  type PathInfo,
  type SignaturePolicy,
  signatureProblem,
  verifyStoredContent,
} from "@tvix/store";
import { copyTree } from "@tvix/store/upstream";
import { CliError, EXIT } from "../exit.js";
import { type CopiedStore, presentIn, publishIn } from "./present.js";
import type { MovedPath, PathFacts, Transfer } from "./transfer.js";

/** Content of small files that is on its way at a time, in bytes, of all paths together. */
const BYTES_IN_FLIGHT = 64 * 1024 * 1024;

/** Copies from one store of ours into another: only the blobs and Directories that are missing there. */
export class StoreTransfer implements Transfer {
  readonly #from: CopiedStore;
  readonly #to: CopiedStore;
  readonly #options: StoreTransferOptions;
  readonly #pathInfos = new Map<string, PathInfo>();
  readonly #bytesInFlight = new Semaphore(BYTES_IN_FLIGHT);

  constructor(from: CopiedStore, to: CopiedStore, options: StoreTransferOptions) {
    this.#from = from;
    this.#to = to;
    this.#options = options;
  }

  get source(): string {
    return this.#from.place;
  }

  get target(): string {
    return this.#to.place;
  }

  async lookUp(outputHash: Uint8Array, options: CallOptions): Promise<PathFacts | undefined> {
    const known = await presentIn(this.#to, outputHash, options);
    if (known !== undefined) return known;
    const pathInfo = await this.#from.pathInfos.get(outputHash, options);
    if (pathInfo === undefined) return undefined;
    const { storePath, references, narSize } = pathInfo;
    this.#checkSignatures(pathInfo);
    this.#pathInfos.set(storePath.baseName, pathInfo);
    return { storePath, references, narSize, isPresent: false };
  }

  async move({ storePath }: PathFacts, options: CallOptions): Promise<MovedPath> {
    const pathInfo = this.#pathInfos.get(storePath.baseName);
    if (pathInfo === undefined) throw new TypeError(`${storePath} was not looked up`);
    const { near } = this.#options;
    const copied = await copyTree(this.#from, this.#to, pathInfo.node, {
      ...options,
      near,
      bytesInFlight: this.#bytesInFlight,
    });
    await this.#verify(pathInfo, options);
    return {
      bytesMoved: copied.bytesMoved,
      publish: () => publishIn(this.#to, pathInfo, options),
    };
  }

  /**
   * That the root is what the hash of the NAR stands for is no more than what a store says, where no trusted key says
   * so too.
   */
  async #verify(pathInfo: PathInfo, options: CallOptions): Promise<void> {
    if (hasTrustedRoot(pathInfo, this.#options.signatures)) return;
    const near = this.#options.near === "source" ? this.#from : this.#to;
    const actual = await near.narCalculation.calculateNar(pathInfo.node, options);
    if (actual.narSize !== pathInfo.narSize || !equalBytes(actual.narSha256, pathInfo.narSha256)) {
      const what = `${pathInfo.storePath} in ${this.source} is not what its NAR hash says`;
      throw new CliError(EXIT.corrupt, `${what}: see tvix verify`);
    }
    // That the path follows from its address is why no signature was asked for.
    await verifyStoredContent(near, pathInfo, options);
  }

  #checkSignatures(pathInfo: PathInfo): void {
    const problem = signatureProblem(pathInfo, this.#options.signatures);
    if (problem === undefined) return;
    const what = `cannot trust ${pathInfo.storePath} in ${this.source}: ${problem}`;
    throw new CliError(EXIT.failed, what);
  }
}

export interface StoreTransferOptions {
  readonly signatures: SignaturePolicy;
  /** Which of the two stores is near: its Directories and NAR hashes are asked for first. */
  readonly near: "source" | "target";
}
