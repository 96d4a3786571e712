import type { CallOptions } from "../blobservice/blob-service.js";
import { concatBytes, copyBytes, equalBytes, toLatin1 } from "../bytes.js";
import { DIGEST_LENGTH } from "../digest.js";
import { blake3 } from "../hasher/blake3.js";
import { LastUsed } from "../last-used.js";
import { SingleFlight } from "../single-flight.js";
import type { NoteQueue } from "./cache-notes.js";
import type { FarBlob, FarBlobs } from "./far-blobs.js";

/**
 * Parts of chunks shorter than this, at an end of what is read, are read alone: as long as a group of a proof. Who proves
 * a chunk reads so much of its neighbours, which nobody may ever want.
 */
export const MAX_EDGE_BYTES: number = 16 * 1024;

/** Edges in memory, in bytes. */
const MAX_MEMORY_BYTES = 4 * 1024 * 1024;

/** What the keys of notes end with, behind the digest and before the place. */
const EDGE_MARK = 3;

/** Short parts of far blobs, without the chunks that they are of. They are noted, to be there when far is gone. */
export class EdgeReads {
  readonly #far: FarBlobs;
  readonly #notes: NoteQueue | undefined;
  readonly #onError: (error: unknown) => void;
  /** Notes by their keys. */
  readonly #known = new LastUsed<string, Uint8Array>(
    MAX_MEMORY_BYTES,
    ({ byteLength }) => byteLength,
  );
  readonly #fetches = new SingleFlight<Uint8Array>();

  constructor(far: FarBlobs, notes: NoteQueue | undefined, onError: (error: unknown) => void) {
    this.#far = far;
    this.#notes = notes;
    this.#onError = onError;
  }

  /** The bytes from `start` to before `end`, as an array that belongs to the caller. */
  async read(blob: FarBlob, start: number, end: number, options: CallOptions): Promise<Uint8Array> {
    const key = keyOf(blob, start, end);
    const name = toLatin1(key);
    const known = this.#known.get(name) ?? (await this.#noted(key));
    if (known !== undefined) return copyBytes(known);
    const fetch = (signal: AbortSignal) => this.#fetch(blob, { start, end, key }, { signal });
    return copyBytes(await this.#fetches.run(name, fetch, options.signal));
  }

  async #fetch(
    blob: FarBlob,
    edge: { readonly start: number; readonly end: number; readonly key: Uint8Array },
    options: CallOptions,
  ): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    const length = edge.end - edge.start;
    for await (const part of this.#far.read(blob, edge.start, length, options)) parts.push(part);
    const bytes = concatBytes(parts);
    this.#known.add(toLatin1(edge.key), bytes);
    this.#notes?.put(edge.key, concatBytes([blake3(bytes).toBytes(), bytes]));
    return bytes;
  }

  async #noted(key: Uint8Array): Promise<Uint8Array | undefined> {
    try {
      const note = await this.#notes?.get(key);
      const bytes = note?.subarray(DIGEST_LENGTH);
      if (note === undefined || bytes === undefined) return undefined;
      return equalBytes(note.subarray(0, DIGEST_LENGTH), blake3(bytes).toBytes())
        ? bytes
        : undefined;
    } catch (error) {
      this.#onError(error);
      return undefined;
    }
  }
}

function keyOf({ digest }: FarBlob, start: number, end: number): Uint8Array {
  const place = new Uint8Array(17);
  const view = new DataView(place.buffer);
  place[0] = EDGE_MARK;
  view.setBigUint64(1, BigInt(start), true);
  view.setBigUint64(9, BigInt(end), true);
  return concatBytes([digest.toBytes(), place]);
}
