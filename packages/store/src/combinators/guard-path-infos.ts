import {
  type Clock,
  type FarOptions,
  GuardedStore,
  type GuardOptions,
  guardFar,
  type StoreMember,
} from "@tvix/castore";
import type { PathInfoService } from "../pathinfoservice/path-info-service.js";

/**
 * How long a store is waited for unless it is said otherwise, in milliseconds. Much longer than for blobs: there may be a
 * binary cache behind it, far away, from which the whole path comes before the answer does.
 */
const TIMEOUT_MS = 10 * 60_000;

/** Several stores of path infos. */
export function guardPathInfos(
  stores: readonly StoreMember<PathInfoService>[],
  options: GuardOptions,
): GuardedStore<PathInfoService>[] {
  const guard = { timeoutMs: TIMEOUT_MS, ...options };
  return stores.map((member) => new GuardedStore(member, guard));
}

/** The far store of a cache of path infos. */
export function guardFarPathInfos(
  far: PathInfoService,
  options: FarOptions | undefined,
  clock: Clock,
): GuardedStore<PathInfoService> {
  return guardFar(far, { timeoutMs: TIMEOUT_MS, ...options }, clock);
}
