import type { Node } from "@tvix/castore";
import { renderNar } from "@tvix/store";
import type { Host } from "../command.js";
import type { OpenStore } from "../store/open-store.js";

/** How much is gathered for one write: each costs a turn of the event loop. */
const WRITE_BYTES = 1024 * 1024;

/**
 * Writes the NAR of what is in the store to standard output; every byte is verified first. While one
 * part goes out, the next is made.
 */
export async function dumpStoredTree(store: OpenStore, node: Node, host: Host): Promise<void> {
  const { signal, stdout } = host;
  let writing: Promise<void> = Promise.resolve();
  let pieces: Uint8Array[] = [];
  let length = 0;
  for await (const bytes of renderNar(store, node, { signal })) {
    pieces.push(bytes);
    length += bytes.byteLength;
    if (length < WRITE_BYTES) continue;
    await writing;
    writing = stdout.pieces(pieces);
    // It is awaited with the next part; until then a failure must not count as unhandled.
    writing.catch(() => undefined);
    pieces = [];
    length = 0;
  }
  await writing;
  await stdout.pieces(pieces);
}
