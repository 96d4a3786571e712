/** Sources for `put` and its kin that can be watched and that fail in all the ways sources fail. */
import { copyBytes } from "../bytes.js";

/** What comes after the items: the end, a failure, or nothing ever. */
export type SourceEnd = "end" | "hang" | Error;

/** Tells whether it was closed: a stand-in for a file, a socket or a process. */
export class WatchedSource<T> implements AsyncIterable<T> {
  readonly #items: Iterator<T>;
  readonly #end: SourceEnd;
  #opened = 0;
  #pulled = 0;
  #released = false;
  /** Called when the consumer waits for what will never come. */
  onHang: () => void = () => {};

  constructor(items: Iterable<T>, end: SourceEnd = "end") {
    this.#items = items[Symbol.iterator]();
    this.#end = end;
  }

  /** How often it was iterated. */
  get opened(): number {
    return this.#opened;
  }

  /** How many items were asked for. */
  get pulled(): number {
    return this.#pulled;
  }

  /** Whether nobody needs to close it any more: it has ended, has failed, or was closed. */
  get released(): boolean {
    return this.#released;
  }

  [Symbol.asyncIterator](): AsyncIterator<T> {
    this.#opened++;
    return {
      next: () => this.#next(),
      return: async () => {
        this.#released = true;
        return { done: true, value: undefined };
      },
    };
  }

  async #next(): Promise<IteratorResult<T>> {
    this.#pulled++;
    const item = this.#items.next();
    if (item.done !== true) return item;
    if (this.#end === "hang") {
      queueMicrotask(this.onHang);
      return new Promise<never>(() => {});
    }
    this.#released = true;
    if (this.#end !== "end") throw this.#end;
    return item;
  }
}

/** Copies of `bytes` in pieces of `length`. */
export function* piecesOf(bytes: Uint8Array, length: number): Generator<Uint8Array, void> {
  for (let offset = 0; offset < bytes.byteLength; offset += length) {
    yield copyBytes(bytes.subarray(offset, offset + length));
  }
}

/** Like {@link piecesOf}, each in the same memory as the one before. */
export function* reusedPiecesOf(bytes: Uint8Array, length: number): Generator<Uint8Array, void> {
  const buffer = new Uint8Array(length);
  for (let offset = 0; offset < bytes.byteLength; offset += length) {
    const piece = bytes.subarray(offset, offset + length);
    buffer.fill(0xaa);
    buffer.set(piece);
    yield buffer.subarray(0, piece.byteLength);
  }
  buffer.fill(0xaa);
}

/** Far more than any test means to collect. */
const MAX_COLLECTED = 200_000;

/** All that `source` yields. Fails after very many, for a broken source may never end. */
export async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) {
    if (items.length === MAX_COLLECTED) throw new Error(`More than ${MAX_COLLECTED} items`);
    items.push(item);
  }
  return items;
}
