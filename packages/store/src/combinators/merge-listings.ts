import { type CallOptions, CastoreError, compareBytes } from "@tvix/castore";
import { StoreError } from "../errors.js";
import type { PathInfo } from "../path-info.js";
import { mergePathInfo } from "../pathinfoservice/merge-path-info.js";
import type { PathInfoService } from "../pathinfoservice/path-info-service.js";

/** A list that is being read, and where it is. */
interface Reading {
  readonly items: AsyncIterator<PathInfo>;
  head: PathInfo | undefined;
}

/**
 * All that several stores have, in the byte order of the output hashes; what more than one has is merged, what the first
 * says of it counts. A store that cannot list is left out. One that fails, fails all: a listing is whole or none.
 *
 * Of a store that lists in another order, what others have too may come twice.
 *
 * @throws {@link StoreError} "UNSUPPORTED" when none of them can list
 */
export async function* mergeListings(
  stores: readonly Pick<PathInfoService, "list">[],
  options: CallOptions,
): AsyncGenerator<PathInfo, void, undefined> {
  const readings: Reading[] = [];
  try {
    for (const store of stores) {
      const items = store.list(options)[Symbol.asyncIterator]();
      const reading: Reading = { items, head: undefined };
      if (await begin(reading)) readings.push(reading);
    }
    if (readings.length === 0) {
      throw new StoreError("UNSUPPORTED", "Cannot list path infos: none of the stores has a list");
    }
    for (let least = leastOf(readings); least !== undefined; least = leastOf(readings)) {
      const due = least;
      const same = readings.filter(({ head }) => head !== undefined && compare(head, due) === 0);
      const said = same.flatMap(({ head }) => head ?? []);
      yield said.reduceRight((known, added) => mergePathInfo(known, added));
      options.signal?.throwIfAborted();
      await Promise.all(same.map(advance));
    }
  } finally {
    // Those that have ended or failed do nothing.
    for (const { items } of readings) await items.return?.();
  }
}

/** Whether the store can list. */
async function begin(reading: Reading): Promise<boolean> {
  try {
    await advance(reading);
    return true;
  } catch (error) {
    if (StoreError.is(error, "UNSUPPORTED") || CastoreError.is(error, "UNSUPPORTED")) return false;
    throw error;
  }
}

async function advance(reading: Reading): Promise<void> {
  const item = await reading.items.next();
  reading.head = item.done === true ? undefined : item.value;
}

/** What is due next. */
function leastOf(readings: readonly Reading[]): PathInfo | undefined {
  let least: PathInfo | undefined;
  for (const { head } of readings) {
    if (head !== undefined && (least === undefined || compare(head, least) < 0)) least = head;
  }
  return least;
}

function compare(a: PathInfo, b: PathInfo): number {
  return compareBytes(a.storePath.digestBytes(), b.storePath.digestBytes());
}
