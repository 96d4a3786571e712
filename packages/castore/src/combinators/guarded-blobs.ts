/** Calls over several stores of blobs that combinators have in common. */

import type { TreeParents } from "../bao/outboard.js";
import type {
  BlobReader,
  BlobService,
  CallOptions,
  OpenReadOptions,
} from "../blobservice/blob-service.js";
import type { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import type { AskOptions, AskStore } from "./ask-stores.js";
import { FailoverReader, type GuardedBlob, openGuarded } from "./guarded-reader.js";
import type { GuardedStore, StoreMember } from "./guarded-store.js";
import { failureOfStores, type StoreFailure } from "./store-failures.js";

/** Stores of blobs that are asked for the same. */
export type BlobStores = readonly GuardedStore<BlobService>[];

/** {@link firstAnswer} or {@link fastestAnswer}. */
export type AskBlobStores = <T>(
  stores: BlobStores,
  ask: AskStore<BlobService, T>,
  options: AskOptions,
) => Promise<T | undefined>;

/** Opens a blob in whichever store answers; the others are tried when that fails before the first byte. */
export async function openInStores(
  stores: BlobStores,
  digest: B3Digest,
  askStores: AskBlobStores,
  { expectedSize, ...options }: OpenReadOptions = {},
): Promise<BlobReader | undefined> {
  const ask = { ...options, action: `Cannot find blob ${digest}` };
  const blob: GuardedBlob | undefined = await askStores(
    stores,
    openGuarded(digest, expectedSize),
    ask,
  );
  if (blob === undefined) return undefined;
  const others = stores.filter((store) => store !== blob.store);
  return new FailoverReader(digest, blob, others);
}

/** Whether any store has the blob. */
export async function isInStores(
  stores: BlobStores,
  digest: B3Digest,
  askStores: AskBlobStores,
  options: CallOptions = {},
): Promise<boolean> {
  const has: AskStore<BlobService, true> = async (service, call) =>
    (await service.has(digest, call)) || undefined;
  const ask = { ...options, action: `Cannot find blob ${digest}` };
  return (await askStores(stores, has, ask)) ?? false;
}

/** {@link isInStores} for many at once: each store is asked about what those before it do not have. */
export async function areInStores(
  stores: BlobStores,
  digests: readonly B3Digest[],
  { signal }: CallOptions = {},
): Promise<boolean[]> {
  signal?.throwIfAborted();
  const present = digests.map(() => false);
  const failures: StoreFailure[] = [];
  for (const store of stores) {
    const open = [...digests.keys()].filter((i) => present[i] === false);
    if (open.length === 0) break;
    const asked = open.map((i) => digests[i] as B3Digest);
    try {
      const answers = await store.run((service, call) => service.hasMany(asked, call), {
        ...(signal && { signal }),
      });
      for (const [at, i] of open.entries()) present[i] = answers[at] === true;
    } catch (error) {
      signal?.throwIfAborted();
      failures.push({ store: store.name, error });
    }
  }
  if (failures.length > 0 && present.includes(false)) {
    throw failureOfStores(`Cannot find ${digests.length} blobs`, failures);
  }
  return present;
}

/** Whether any of several stores can prove parts of blobs. */
export function canProve(members: readonly StoreMember<BlobService>[]): boolean {
  return members.some(({ service }) => service.tree !== undefined);
}

/** The tree of a blob, by whichever store answers; its pages come from there. */
export function treeInStores(
  stores: BlobStores,
  digest: B3Digest,
  askStores: AskBlobStores,
  options: CallOptions = {},
): Promise<TreeParents | undefined> {
  const ask: AskStore<BlobService, TreeParents> = async (service, call, store) => {
    if (service.tree === undefined) {
      throw new CastoreError("UNSUPPORTED", "It cannot prove parts of blobs");
    }
    const tree = await service.tree(digest, call);
    if (tree === undefined) return undefined;
    const { length, groupLog, top } = tree;
    const page = (index: number, signal?: AbortSignal): Promise<Uint8Array> =>
      store.run(
        async (_, { signal: within }) => tree.page(index, within),
        signal ? { signal } : {},
      );
    return { length, groupLog, top, page };
  };
  return askStores(stores, ask, { ...options, action: `Cannot prove blob ${digest}` });
}
