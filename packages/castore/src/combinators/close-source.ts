/** Closes a source of which nothing was asked. Nobody waits for one that takes long to close. */
export async function closeSource(
  source: AsyncIterable<unknown> | Iterable<unknown>,
): Promise<void> {
  const iterator =
    Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  const closed = Promise.resolve(iterator.return?.());
  // How closing fails does not matter: nothing was read.
  closed.catch(() => {});
}
