import { type Node, toHex } from "@tvix/castore";
import { NixHash } from "../nix-hash.js";
import type { SignedFacts } from "../signature/fingerprint.js";
import { sortedStorePaths } from "../store-path/sorted.js";

/** What a root signature vouches for. A `PathInfo` is such. */
export interface RootFacts extends SignedFacts {
  /** The content. */
  readonly node: Node;
}

/** What the text begins with. Fingerprints of narinfos begin with `1;`, what else Nix signs is JSON. */
const DOMAIN = "castore-root-1";

/**
 * The text that is signed:
 *
 *     castore-root-1;<store path>;<type>;<content>;<size>;sha256:<nixbase32>;<NAR size>;<references>
 *
 * Content is the digest in hexadecimal, of a symlink the target; no field can hold a semicolon, and references are
 * joined by commas, sorted, each once, whatever the order in `facts` (docs/formats/signed-root.md).
 */
export function rootFingerprint(facts: RootFacts): string {
  const { storePath, node, narSha256, narSize } = facts;
  const [type, content, size] = describeNode(node);
  const hash = NixHash.of("sha256", narSha256).toString();
  const references = sortedStorePaths(facts.references).map(String).join(",");
  return [DOMAIN, storePath, type, content, size, hash, narSize, references].join(";");
}

function describeNode(node: Node): readonly [type: string, content: string, size: bigint] {
  switch (node.type) {
    case "directory":
      return ["directory", toHex(node.digest.toBytes()), node.size];
    case "file": {
      const type = node.executable ? "executable" : "regular";
      return [type, toHex(node.digest.toBytes()), node.size];
    }
    case "symlink": {
      const target = node.target.toBytes();
      return ["symlink", toHex(target), BigInt(target.byteLength)];
    }
  }
}
