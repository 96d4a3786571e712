import type {
  B3Digest,
  BlobReader,
  BlobService,
  ByteRange,
  CallOptions,
  Directory,
  DirectoryService,
} from "@tvix/castore";

/** What goes wrong with a digest, as long as it is told to. */
export type Fault = "absent" | "failing" | "hanging" | "failing-late";

/** Told what to do wrong, and keeps count of what it is asked for. */
export class Faults {
  readonly #asked = new Map<string, number>();
  readonly #faults = new Map<string, Fault>();

  /** Makes everything about a digest go wrong. */
  set(digest: B3Digest, fault: Fault): void {
    this.#faults.set(digest.key, fault);
  }

  /** Makes everything right again. */
  clear(): void {
    this.#faults.clear();
  }

  countOf(digest: B3Digest): number {
    return this.#asked.get(digest.key) ?? 0;
  }

  /** Counts a call. @returns what to do wrong; a failure or a wait is done here */
  async of(digest: B3Digest, options: CallOptions = {}): Promise<Fault | undefined> {
    this.#asked.set(digest.key, this.countOf(digest) + 1);
    const fault = this.#faults.get(digest.key);
    if (fault === "failing") throw new Error(`the service fails for ${digest}`);
    if (fault === "hanging") {
      await new Promise((_, reject) => {
        options.signal?.addEventListener("abort", () => reject(options.signal?.reason));
      });
    }
    return fault;
  }
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
export function faultyBlobs(blobs: BlobService, faults: Faults): BlobService {
  return {
    has: (digest, options) => blobs.has(digest, options),
    hasMany: (digests, options) => blobs.hasMany(digests, options),
    put: (source, options) => blobs.put(source, options),
    putMany: (all, options) => blobs.putMany(all, options),
    async openRead(digest, options) {
      const fault = await faults.of(digest, options);
      const reader = fault === "absent" ? undefined : await blobs.openRead(digest, options);
      return reader && fault === "failing-late" ? failingLate(reader) : reader;
    },
    async chunks(digest, options) {
      const fault = await faults.of(digest, options);
      return fault === "absent" ? undefined : blobs.chunks(digest, options);
    },
  };
}

function failingLate(reader: BlobReader): BlobReader {
  return {
    size: reader.size,
    async *stream(range?: ByteRange, options?: CallOptions) {
      for await (const bytes of reader.stream(range, options)) {
        yield bytes.subarray(0, bytes.byteLength >> 1);
        throw new Error("the service fails in the middle");
      }
    },
  };
}
