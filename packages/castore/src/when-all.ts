/** Waits for all of them, and fails with the first that failed: nothing goes on behind the caller's back. */
export async function whenAll<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises);
  return await Promise.all(promises);
}
