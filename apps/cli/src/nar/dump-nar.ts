import { lstatSync } from "node:fs";
import { STORE_DIR } from "@tvix/store";
import { wordBytes } from "../args/raw-words.js";
import type { Host, Invocation } from "../command.js";
import { CliError, EXIT, NotFoundError } from "../exit.js";
import { withStore } from "../store/open.js";
import { resolve } from "../target/resolve.js";
import { looksLikeTarget, parseTarget } from "../target/target.js";
import { dumpDiskTree } from "./dump-disk-tree.js";
import { dumpStoredTree } from "./dump-stored-tree.js";

/** Does what `tvix nar dump` promises. */
export async function dumpNar(invocation: Invocation, host: Host): Promise<number> {
  const [text = ""] = invocation.arguments;
  if (host.stdout.isTerminal) {
    throw new CliError(
      EXIT.usage,
      "a NAR is binary: send it to a file or a pipe, not to a terminal",
    );
  }
  if (looksLikeTarget(text)) {
    try {
      await dumpFromStore(text, invocation, host);
      return EXIT.ok;
    } catch (error) {
      const elsewhere = text.startsWith(`${STORE_DIR}/`) && isOnDisk(text);
      if (!(error instanceof NotFoundError) || !elsewhere) throw error;
    }
  }
  await dumpDiskTree(wordBytes(text), host);
  return EXIT.ok;
}

async function dumpFromStore(text: string, invocation: Invocation, host: Host): Promise<void> {
  const target = parseTarget(text);
  await withStore(invocation, host, async (store) => {
    const { node } = await resolve(store, target, { signal: host.signal });
    await dumpStoredTree(store, node, host);
  });
}

function isOnDisk(path: string): boolean {
  return lstatSync(Buffer.from(wordBytes(path)), { throwIfNoEntry: false }) !== undefined;
}
