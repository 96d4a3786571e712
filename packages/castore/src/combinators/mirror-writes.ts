import { failureOfStores, isStoreFailure, type StoreFailure } from "./store-failures.js";

/** What mirrors do, besides how patient they are. */
export interface MirrorOptions {
  /** How many stores have to take a write; more than half of them by default. */
  readonly quorum?: number;
  /** Whether a store gets what it lacks of what was read from another one; true by default. */
  readonly heal?: boolean;
  /** Is told why a store did not get what it lacks: reads do not fail for that. */
  readonly onHealError?: (error: unknown) => void;
}

/**
 * How many of so many stores have to take a write.
 *
 * @throws RangeError when that cannot be
 */
export function quorumOf(stores: number, { quorum }: MirrorOptions): number {
  const needed = quorum ?? Math.floor(stores / 2) + 1;
  if (Number.isInteger(needed) && needed >= 1 && needed <= stores) return needed;
  throw new RangeError(`Cannot write to ${needed} of ${stores} stores`);
}

/** What one store made of a write. */
export type WriteResult<T> = { readonly answer: T } | StoreFailure;

/**
 * The answers of those that took a write, when they are enough.
 *
 * @throws {@link CastoreError} when they are not; when all refused for what they were given, what the first said
 */
export function answersOf<T>(
  results: readonly WriteResult<T>[],
  quorum: number,
  action: string,
): T[] {
  const answers: T[] = [];
  const failures: StoreFailure[] = [];
  for (const result of results) {
    if ("answer" in result) answers.push(result.answer);
    else failures.push(result);
  }
  if (answers.length >= quorum) return answers;
  const [first] = failures;
  const haveRefused = answers.length === 0 && !failures.some(({ error }) => isStoreFailure(error));
  if (first !== undefined && haveRefused) throw first.error;
  throw failureOfStores(action, failures);
}

/** {@link WriteResult} of a write. The reason of `signal` is thrown. */
export async function writeResult<T>(
  store: string,
  write: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<WriteResult<T>> {
  try {
    return { answer: await write };
  } catch (error) {
    signal?.throwIfAborted();
    return { store, error };
  }
}
