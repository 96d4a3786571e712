/** Services that go wrong when they are told to, in all the ways in which services behind others do. */
import type {
  BlobReader,
  BlobService,
  ByteRange,
  CallOptions,
  ChunkMeta,
} from "../blobservice/blob-service.js";
import { copyBytes } from "../bytes.js";
import type { B3Digest } from "../digest.js";
import type { DirectoryService } from "../directoryservice/directory-service.js";
import { CastoreError } from "../errors.js";
import type { Directory } from "../nodes/directory.js";
import { onAbort } from "../on-abort.js";
import type { SeededRandom } from "./seeded-random.js";

/**
 * What goes wrong with a call:
 *
 * - `absent`: the service says that it does not have it.
 * - `failing`: the call rejects with "UNAVAILABLE".
 * - `hanging`: the call does not end unless it is aborted.
 * - `deaf`: it does not end even then.
 * - `failing-late`, `hanging-late`: so does the stream of a blob, after some of its bytes.
 * - `truncated`: the stream ends too early, as if nothing were wrong.
 * - `wrong-bytes`: the stream has other bytes than the blob.
 */
export type Fault =
  | "absent"
  | "failing"
  | "hanging"
  | "deaf"
  | "failing-late"
  | "hanging-late"
  | "truncated"
  | "wrong-bytes";

/** Chooses what goes wrong with the next call, if anything. */
export type FaultChooser = (call: string) => Fault | undefined;

/** Told what to do wrong, and keeps count of what it is asked for. */
export class Faults {
  readonly #asked = new Map<string, number>();
  readonly #faults = new Map<string, Fault>();
  #choose: FaultChooser = () => undefined;
  /** Names of all calls, in order. */
  readonly calls: string[] = [];
  /** Bytes that streams have given out. */
  bytesRead = 0;

  /** Makes everything about a digest go wrong. */
  set(digest: B3Digest, fault: Fault): void {
    this.#faults.set(digest.key, fault);
  }

  /** Makes every call go wrong. */
  setAll(fault: Fault): void {
    this.#choose = () => fault;
  }

  /** Makes some calls go wrong: about one of `every`. */
  setSome(random: SeededRandom, every: number, faults: readonly Fault[]): void {
    this.#choose = () => (random.below(every) === 0 ? random.pick(faults) : undefined);
  }

  /** Makes calls go wrong as `choose` says. */
  setBy(choose: FaultChooser): void {
    this.#choose = choose;
  }

  /** Makes everything right again. */
  clear(): void {
    this.#faults.clear();
    this.#choose = () => undefined;
  }

  /** Forgets what was counted. */
  forget(): void {
    this.#asked.clear();
    this.calls.length = 0;
    this.bytesRead = 0;
  }

  countOf(digest: B3Digest): number {
    return this.#asked.get(digest.key) ?? 0;
  }

  /** Counts a call. @returns what to do wrong; a failure or a wait is done here */
  async of(digest: B3Digest, options: CallOptions = {}, call = "get"): Promise<Fault | undefined> {
    this.#asked.set(digest.key, this.countOf(digest) + 1);
    return this.#do(this.#faults.get(digest.key), call, options);
  }

  /** {@link of} for a call that is about no digest, or about many. */
  async ofCall(call: string, options: CallOptions = {}): Promise<Fault | undefined> {
    return this.#do(undefined, call, options);
  }

  async #do(
    set: Fault | undefined,
    call: string,
    options: CallOptions,
  ): Promise<Fault | undefined> {
    this.calls.push(call);
    const fault = set ?? this.#choose(call);
    if (fault === "failing") throw new CastoreError("UNAVAILABLE", `The service fails at ${call}`);
    if (fault === "hanging") await untilAborted(options.signal);
    if (fault === "deaf") await new Promise<never>(() => {});
    return fault;
  }
}

function untilAborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    if (signal === undefined) return;
    signal.throwIfAborted();
    onAbort(signal, () => reject(signal.reason));
  });
}

/** Directories with faults. */
export function faultyDirectories(
  directories: Pick<DirectoryService, "get">,
  faults: Faults,
): Pick<DirectoryService, "get"> {
  return {
    async get(digest: B3Digest, options?: CallOptions): Promise<Directory | undefined> {
      const fault = await faults.of(digest, options);
      return fault === "absent" ? undefined : directories.get(digest, options);
    },
  };
}

/** Blobs with faults, read one by one. */
export class FaultyBlobService implements BlobService {
  readonly #blobs: BlobService;
  readonly #faults: Faults;

  constructor(blobs: BlobService, faults: Faults) {
    this.#blobs = blobs;
    this.#faults = faults;
  }

  async has(digest: B3Digest, options?: CallOptions): Promise<boolean> {
    const fault = await this.#faults.of(digest, options, "has");
    return fault !== "absent" && (await this.#blobs.has(digest, options));
  }

  async hasMany(digests: readonly B3Digest[], options?: CallOptions): Promise<boolean[]> {
    const fault = await this.#faults.ofCall("hasMany", options);
    if (fault === "absent") return digests.map(() => false);
    return this.#blobs.hasMany(digests, options);
  }

  async openRead(digest: B3Digest, options?: CallOptions): Promise<BlobReader | undefined> {
    const fault = await this.#faults.of(digest, options, "openRead");
    const reader = fault === "absent" ? undefined : await this.#blobs.openRead(digest, options);
    return reader && new FaultyReader(reader, this.#faults, fault);
  }

  async put(
    source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options?: CallOptions,
  ): Promise<B3Digest> {
    const fault = await this.#faults.ofCall("put", options);
    if (fault !== "failing-late") return this.#blobs.put(source, options);
    return this.#blobs.put(failingLate(source), options);
  }

  async putMany(blobs: readonly Uint8Array[], options?: CallOptions): Promise<B3Digest[]> {
    await this.#faults.ofCall("putMany", options);
    return this.#blobs.putMany(blobs, options);
  }

  async chunks(digest: B3Digest, options?: CallOptions): Promise<readonly ChunkMeta[] | undefined> {
    const fault = await this.#faults.of(digest, options, "chunks");
    return fault === "absent" ? undefined : this.#blobs.chunks(digest, options);
  }
}

/** Takes some of the source, and then no more. */
async function* failingLate(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const bytes of source) {
    yield bytes;
    throw new CastoreError("UNAVAILABLE", "The service fails in the middle of a put");
  }
}

class FaultyReader implements BlobReader {
  readonly size: number;
  readonly #reader: BlobReader;
  readonly #faults: Faults;
  readonly #fault: Fault | undefined;

  constructor(reader: BlobReader, faults: Faults, fault: Fault | undefined) {
    this.size = reader.size;
    this.#reader = reader;
    this.#faults = faults;
    this.#fault = fault;
  }

  async *stream(
    range?: ByteRange,
    options: CallOptions = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const fault = (await this.#faults.ofCall("stream", options)) ?? this.#fault;
    for await (const bytes of this.#reader.stream(range, options)) {
      const given = broken(bytes, fault);
      this.#faults.bytesRead += given.byteLength;
      yield given;
      if (fault === "truncated") return;
      if (fault === "hanging-late") await untilAborted(options.signal);
      if (fault === "failing-late") {
        throw new CastoreError("UNAVAILABLE", "The service fails in the middle of a stream");
      }
    }
  }
}

function broken(bytes: Uint8Array, fault: Fault | undefined): Uint8Array {
  if (fault === "failing-late" || fault === "hanging-late" || fault === "truncated") {
    return bytes.subarray(0, bytes.byteLength >> 1);
  }
  if (fault !== "wrong-bytes" || bytes.byteLength === 0) return bytes;
  const wrong = copyBytes(bytes);
  wrong[0] = (bytes[0] as number) ^ 0xff;
  return wrong;
}
