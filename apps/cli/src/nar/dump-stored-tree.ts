import type { Node } from "@tvix/castore";
import { writeNar } from "@tvix/store";
import type { Host } from "../command.js";
import type { OpenStore } from "../store/open-store.js";

/** Writes the NAR of what is in the store to standard output; every byte is verified first. */
export async function dumpStoredTree(store: OpenStore, node: Node, host: Host): Promise<void> {
  const { signal, stdout } = host;
  await writeNar(store, node, (pieces) => stdout.pieces(pieces), { signal });
}
