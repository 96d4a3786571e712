import { NixHash } from "../nix-hash.js";
import { sortedStorePaths } from "../store-path/sorted.js";
import type { StorePath } from "../store-path/store-path.js";

/** What a signature vouches for. A `PathInfo` and a `Narinfo` are such. */
export interface SignedFacts {
  readonly storePath: StorePath;
  /** 32 bytes. */
  readonly narSha256: Uint8Array;
  readonly narSize: bigint;
  /** In any order. */
  readonly references: readonly StorePath[];
}

/**
 * The text that is signed: `1;<store path>;sha256:<nixbase32>;<NAR size>;<references>`.
 *
 * References are absolute, joined by commas, sorted, each once, whatever the order in `facts`: Nix keeps
 * them as an ordered set, so that no other order could ever be verified by it. tvix signs them in the
 * order in which they are stored; what it signs unsorted, neither Nix nor we accept.
 */
export function fingerprint(facts: SignedFacts): string {
  const { storePath, narSha256, narSize } = facts;
  const hash = NixHash.of("sha256", narSha256).toString();
  const references = sortedStorePaths(facts.references).map(String).join(",");
  return `1;${storePath};${hash};${narSize};${references}`;
}
