import { lstatSync } from "node:fs";
import {
  calculateNar,
  createSha256,
  NixHash,
  type NixHashEncoding,
  readNar,
  STORE_DIR,
} from "@tvix/store";
import { wordBytes } from "../args/raw-words.js";
import type { Host, Invocation } from "../command.js";
import { EXIT, NotFoundError, UsageError } from "../exit.js";
import { STDIN } from "../io/read-input.js";
import { withStore } from "../store/open.js";
import { resolve } from "../target/resolve.js";
import { looksLikeTarget, parseTarget } from "../target/target.js";
import { dumpDiskTree } from "./dump-disk-tree.js";
import { readNarInput } from "./nar-input.js";

/** The text forms that there are. */
const HASH_FORMATS: readonly NixHashEncoding[] = ["sri", "nixbase32", "hex", "base64"];

/** Does what `tvix nar hash` promises. */
export async function hashNar(invocation: Invocation, host: Host): Promise<number> {
  const { options } = invocation;
  const given = options.value("format") ?? "sri";
  const format = HASH_FORMATS.find((name) => name === given);
  if (format === undefined) {
    throw new UsageError(`option --format needs one of ${HASH_FORMATS.join(", ")}`);
  }
  for (const word of invocation.arguments) {
    const hash = NixHash.of("sha256", await hashOf(word, invocation, host));
    const text = hash.format(format);
    await (options.has("json")
      ? host.stdout.json({ path: word, narHash: text })
      : host.stdout.line(text));
  }
  return EXIT.ok;
}

async function hashOf(word: string, invocation: Invocation, host: Host): Promise<Uint8Array> {
  if (word === STDIN) return await hashStream(host.signal);
  if (looksLikeTarget(word)) {
    try {
      return await hashStored(word, invocation, host);
    } catch (error) {
      const elsewhere = word.startsWith(`${STORE_DIR}/`) && isOnDisk(word);
      if (!(error instanceof NotFoundError) || !elsewhere) throw error;
    }
  }
  const hasher = createSha256();
  const bytes = (part: Uint8Array): Promise<void> => {
    hasher.update(part);
    return Promise.resolve();
  };
  await dumpDiskTree(wordBytes(word), { signal: host.signal, stdout: { bytes } });
  return hasher.digest();
}

/** Of what is a NAR only. */
async function hashStream(signal: AbortSignal): Promise<Uint8Array> {
  const hasher = createSha256();
  async function* hashed(): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const bytes of readNarInput(STDIN)) {
      hasher.update(bytes);
      yield bytes;
    }
  }
  const events = readNar(hashed(), { signal });
  while ((await events.next()).done !== true);
  return hasher.digest();
}

async function hashStored(word: string, invocation: Invocation, host: Host): Promise<Uint8Array> {
  const { signal } = host;
  return await withStore(invocation, host, async (store) => {
    const { node } = await resolve(store, parseTarget(word), { signal });
    return (await calculateNar(store, node, { signal })).narSha256;
  });
}

function isOnDisk(path: string): boolean {
  return lstatSync(Buffer.from(wordBytes(path)), { throwIfNoEntry: false }) !== undefined;
}
