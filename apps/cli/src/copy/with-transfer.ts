import type { LocalStoreOptions } from "@tvix/castore/local";
import type { StorePath } from "@tvix/store";
import type { Host, Invocation } from "../command.js";
import { CliError, EXIT } from "../exit.js";
import { readText, STDIN } from "../io/read-input.js";
import { withStore, withStoreAt, writing } from "../store/open.js";
import type { OpenStore } from "../store/open-store.js";
import type { StorePlace } from "../store/place.js";
import type { Ends } from "./ends.js";
import { CacheTransfer } from "./from-cache.js";
import { DiskTransfer } from "./from-disk.js";
import { StoreTransfer } from "./from-store.js";
import {
  type DescribedPath,
  MAX_PATH_INFO_JSON_BYTES,
  parsePathInfoJson,
} from "./path-info-json.js";
import type { WantedPath } from "./plan.js";
import { UploadTransfer } from "./to-cache.js";
import type { Transfer } from "./transfer.js";

/** What holds for a whole command. */
interface Context {
  readonly invocation: Invocation;
  readonly host: Host;
  readonly jobs: number;
  /** Nothing is written. */
  readonly isDryRun: boolean;
}

/** Opens both ends, lets `work` copy between them, and closes them again. */
export async function withTransfer(
  ends: Ends,
  context: Context,
  work: (transfer: Transfer, wanted: readonly WantedPath[]) => Promise<void>,
): Promise<void> {
  const { invocation, host, jobs, isDryRun } = context;
  const { direction, other, signatures, wanted, compression, authorization } = ends;
  const own = (use: (store: OpenStore) => Promise<void>, options: LocalStoreOptions) =>
    ends.own === undefined
      ? withStore(invocation, host, use, options)
      : withStoreAt(ends.own, invocation, host, use, options);
  const write = isDryRun ? READ : writing(invocation, host);
  if (other.kind === "disk") {
    const described = await readPathInfoJson(other.file);
    const origin = other.file === STDIN ? "the JSON on standard input" : other.file;
    const all = wanted.length > 0 ? wanted : described.map(({ storePath }) => wantedOf(storePath));
    await own((store) => work(new DiskTransfer(described, other.root, store, origin), all), write);
    return;
  }
  if (other.kind === "store") {
    const use = async (store: OpenStore, otherStore: OpenStore): Promise<void> => {
      const [from, to] = direction === "from" ? [otherStore, store] : [store, otherStore];
      const near = direction === "to" || isHere(other.place) ? "source" : "target";
      const all = wanted.length > 0 ? wanted : await allOf(from, host.signal);
      await work(new StoreTransfer(from, to, { signatures, near }), all);
    };
    const [ownOptions, otherOptions] = direction === "from" ? [write, READ] : [READ, write];
    await own(async (store) => {
      const useOther = (otherStore: OpenStore): Promise<void> => use(store, otherStore);
      await withStoreAt(other.place, invocation, host, useOther, otherOptions);
    }, ownOptions);
    return;
  }
  if (direction === "to") {
    await own(async (store) => {
      const options = { concurrency: 2 * jobs, compression, authorization };
      await using transfer = new UploadTransfer(other.address, store, options);
      await work(transfer, wanted);
    }, READ);
    return;
  }
  await own(async (store) => {
    const options = { signatures, concurrency: 2 * jobs, authorization };
    await using transfer = new CacheTransfer(other.address, store, options);
    await work(transfer, wanted);
  }, write);
}

/** Whether a store is read in this process. */
function isHere(place: StorePlace): boolean {
  return place.kind === "directory" && place.alone;
}

async function allOf(store: OpenStore, signal: AbortSignal): Promise<readonly WantedPath[]> {
  const all: WantedPath[] = [];
  for await (const { storePath } of store.pathInfos.list({ signal })) all.push(wantedOf(storePath));
  return all;
}

async function readPathInfoJson(file: string): Promise<readonly DescribedPath[]> {
  const origin = file === STDIN ? "standard input" : file;
  const tooLong = () => new CliError(EXIT.failed, `cannot read ${origin}: it is too long`);
  const text = await readText(file, MAX_PATH_INFO_JSON_BYTES, tooLong);
  return parsePathInfoJson(text, origin);
}

function wantedOf(storePath: StorePath): WantedPath {
  const { name, baseName } = storePath;
  return { outputHash: storePath.digestBytes(), name, text: baseName };
}

const READ: LocalStoreOptions = { readOnly: true, recover: true };
