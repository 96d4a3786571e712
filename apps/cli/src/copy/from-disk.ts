import { join } from "node:path";
import { type CallOptions, equalBytes } from "@tvix/castore";
import { ingestPath } from "@tvix/castore/fs";
import { NarHasher, NixHash, PathInfo, verifyStoredContent } from "@tvix/store";
import { CliError, EXIT, NotFoundError } from "../exit.js";
import type { OpenStore } from "../store/open-store.js";
import type { DescribedPath } from "./path-info-json.js";
import { presentIn, publishIn } from "./present.js";
import type { MovedPath, PathFacts, Transfer } from "./transfer.js";

/** Copies what lies in a store of Nix on this machine, as JSON of Nix describes it. */
export class DiskTransfer implements Transfer {
  readonly source: string;
  readonly #root: string;
  readonly #store: OpenStore;
  readonly #described: ReadonlyMap<string, DescribedPath>;

  /** @param root - what stands before `/nix/store` on this machine; "/" where nothing does */
  constructor(described: readonly DescribedPath[], root: string, store: OpenStore, origin: string) {
    this.source = origin;
    this.#root = root;
    this.#store = store;
    this.#described = new Map(described.map((path) => [keyOf(path.storePath.digestBytes()), path]));
  }

  get target(): string {
    return this.#store.place;
  }

  async lookUp(outputHash: Uint8Array, options: CallOptions): Promise<PathFacts | undefined> {
    const known = await presentIn(this.#store, outputHash, options);
    if (known !== undefined) return known;
    const described = this.#described.get(keyOf(outputHash));
    if (described === undefined) return undefined;
    const { storePath, references, narSize } = described;
    return { storePath, references, narSize, isPresent: false };
  }

  async move({ storePath }: PathFacts, options: CallOptions): Promise<MovedPath> {
    const described = this.#described.get(keyOf(storePath.digestBytes()));
    if (described === undefined) throw new NotFoundError(`${storePath} is not in ${this.source}`);
    const path = join(this.#root, String(storePath));
    const hasher = new NarHasher();
    // Nothing is remembered of what lies there: it must be read to be compared.
    const { node, progress } = await ingestPath(this.#store, path, {
      ...options,
      observer: hasher,
    });
    const { narSize, narSha256 } = hasher.finish();
    if (narSize !== described.narSize || !equalBytes(narSha256, described.narSha256)) {
      const [actual, stated] = [narSha256, described.narSha256].map((hash) =>
        NixHash.of("sha256", hash),
      );
      const what = `its NAR has ${narSize} bytes and the hash ${actual}, not ${described.narSize} and ${stated}`;
      throw new CliError(EXIT.corrupt, `${path} is not what ${this.source} says: ${what}`);
    }
    const pathInfo = PathInfo.of({ ...described, node });
    await verifyStoredContent(this.#store, pathInfo, options);
    return {
      bytesMoved: progress.bytes,
      publish: () => publishIn(this.#store, pathInfo, options),
    };
  }
}

function keyOf(outputHash: Uint8Array): string {
  return Buffer.from(outputHash).toString("hex");
}
