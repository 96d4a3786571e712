import fs from "node:fs";
import path from "node:path";
import Database from "better-sqlite3";
import { concatBytes, toHex } from "../bytes.js";
import { CastoreError } from "../errors.js";
import { blake3 } from "../hasher/blake3.js";
import { encodeChunkList } from "../localstore/chunk-list.js";
import type { ZstdCodec } from "../localstore/compression.js";
import { type StoreLayout, storeLayout } from "../localstore/layout.js";
import { packFileName } from "../localstore/pack-files.js";
import { PACK_HEADER_LENGTH, RecordKind } from "../localstore/pack-format.js";
import type { WriteJob } from "../localstore/pack-writer.js";
import { encodeRecord } from "../localstore/record.js";
import { WriteSession } from "../localstore/write-session.js";
import { fileNode } from "../nodes/node.js";
import { encodeDirectory } from "../wire/directory-codec.js";
import { directoryOf } from "./directory-builders.js";
import type { SeededRandom } from "./seeded-random.js";
import { SimulatedCrash, SimulatedPackFiles } from "./simulated-pack-files.js";

/** One value on its way into the store. */
export interface PlannedValue {
  readonly kind: RecordKind;
  readonly key: Uint8Array;
  readonly raw: Uint8Array;
}

/** What the index is after a crash: SQLite itself is trusted to be at one commit or another. */
export type IndexState = "last" | "earlier" | "gone" | "garbage";

/** Small, so that a case goes through several packs. */
const PACK_LIMIT = PACK_HEADER_LENGTH + 4000;

/** A store over simulated packs and a real index, and all that was acknowledged by it. */
export class SimulatedStore {
  readonly disk: SimulatedPackFiles = new SimulatedPackFiles();
  /** Acknowledged values by kind and key. */
  readonly acknowledged: Map<string, PlannedValue> = new Map();
  /** Path infos that were asked for after the last one acknowledged under that key. */
  readonly attempted: Map<string, Uint8Array[]> = new Map();
  readonly layout: StoreLayout;
  readonly #zstd: ZstdCodec;
  readonly #random: SeededRandom;
  /** Copies of the index after commits. */
  readonly #commits: string[] = [];
  /** Values that belong together, asked for so far, acknowledged or not. */
  readonly #planned: PlannedValue[][] = [];
  #session: WriteSession | undefined;

  constructor(directory: string, zstd: ZstdCodec, random: SeededRandom) {
    this.layout = storeLayout(directory);
    this.#zstd = zstd;
    this.#random = random;
    fs.mkdirSync(this.layout.packs, { recursive: true });
    fs.writeFileSync(path.join(directory, "FORMAT"), "tvix-store 3\n");
  }

  /** Opens the store for writing: recovery, if there is something to recover. */
  open(): WriteSession {
    const options = { layout: this.layout, files: this.disk, zstd: this.#zstd };
    this.#session = new WriteSession({ ...options, packLimit: PACK_LIMIT });
    return this.#session;
  }

  /** Writes a group of jobs and notes what was acknowledged. */
  write(session: WriteSession, values: readonly (readonly PlannedValue[])[]): void {
    for (const { kind, key, raw } of values.flat()) {
      if (kind !== RecordKind.PATH_INFO) continue;
      this.attempted.set(toHex(key), [...(this.attempted.get(toHex(key)) ?? []), raw]);
    }
    session.write(values.map((job) => this.#job(job)));
    for (const value of values.flat()) {
      this.acknowledged.set(value.kind + toHex(value.key), value);
      this.attempted.delete(toHex(value.key));
    }
    this.#commits.push(this.#copyIndex());
  }

  /** Values for a group of jobs, some of them known already. */
  plan(): PlannedValue[][] {
    const random = this.#random;
    return Array.from({ length: 1 + random.below(3) }, () =>
      Array.from({ length: 1 + random.below(3) }, () => this.#planSome()).flat(),
    );
  }

  /** The process ends, or is ended; the index is left as `state` says. */
  end(state: IndexState): void {
    const commits = this.#commits;
    const copy =
      state === "earlier" && commits.length > 0 ? this.#random.pick(commits) : this.#copyIndex();
    // Closed only to free what it holds: its last effects are overwritten below.
    if (!this.disk.crashed && state === "last") this.#session?.close();
    else closeQuietly(this.#session);
    this.#session = undefined;
    this.#removeIndex();
    if (state === "garbage") fs.writeFileSync(this.layout.index, this.#random.bytes(5000));
    else if (state !== "gone") fs.cpSync(copy, this.layout.directory, { recursive: true });
    this.disk.restart();
  }

  /** Writes the packs to the directory, so that a `LocalStore` can read them. */
  materialize(): void {
    for (const [id, bytes] of this.disk.contents()) {
      fs.writeFileSync(path.join(this.layout.packs, packFileName(id)), bytes);
    }
  }

  /** All records that the index knows, in the order of their keys. */
  indexedRecords(): unknown[] {
    const database = new Database(this.layout.index, { readonly: true });
    const records = database.prepare("select * from record order by kind, key").all();
    database.close();
    return records;
  }

  #job(values: readonly PlannedValue[]): WriteJob {
    const records = values.map(({ kind, key, raw }) =>
      encodeRecord(kind, key, raw, this.#random.below(2) === 0 ? this.#zstd : undefined),
    );
    return { records: concatBytes(records) };
  }

  #planSome(): PlannedValue[] {
    const random = this.#random;
    if (this.#planned.length > 0 && random.below(4) === 0) return random.pick(this.#planned);
    const plans = [
      () => [this.#planChunk()],
      () => [this.#planChunk()],
      () => this.#planPathInfo(),
      () => this.#planChunkedBlob(),
      () => this.#planDirectory(),
    ];
    const values = random.pick(plans)();
    this.#planned.push(values);
    return values;
  }

  #planChunk(): PlannedValue {
    const random = this.#random;
    const length = random.below(random.below(10) === 0 ? 6000 : 500);
    const raw = random.below(2) === 0 ? random.bytes(length) : new Uint8Array(length).fill(length);
    return { kind: RecordKind.CHUNK, key: blake3(raw).toBytes(), raw };
  }

  #planPathInfo(): PlannedValue[] {
    const key = new Uint8Array(20).fill(this.#random.below(5));
    return [
      { kind: RecordKind.PATH_INFO, key, raw: this.#random.bytes(1 + this.#random.below(200)) },
    ];
  }

  #planChunkedBlob(): PlannedValue[] {
    const chunks = Array.from({ length: 2 + this.#random.below(3) }, () => this.#planChunk());
    const blob = concatBytes(chunks.map(({ raw }) => raw));
    const list = encodeChunkList(
      chunks.map(({ raw }) => ({ digest: blake3(raw), size: raw.byteLength })),
    );
    return [...chunks, { kind: RecordKind.CHUNK_LIST, key: blake3(blob).toBytes(), raw: list }];
  }

  #planDirectory(): PlannedValue[] {
    const file = this.#planChunk();
    const node = fileNode(blake3(file.raw), BigInt(file.raw.byteLength));
    const raw = encodeDirectory(directoryOf({ file: node }));
    return [file, { kind: RecordKind.DIRECTORY, key: blake3(raw).toBytes(), raw }];
  }

  #copyIndex(): string {
    const copy = fs.mkdtempSync(path.join(path.dirname(this.layout.directory), "index-"));
    // Without the shared memory, as a restart of the machine leaves it.
    for (const suffix of ["", "-wal"]) {
      const file = this.layout.index + suffix;
      if (fs.existsSync(file)) fs.copyFileSync(file, path.join(copy, path.basename(file)));
    }
    return copy;
  }

  #removeIndex(): void {
    for (const suffix of ["", "-wal", "-shm"])
      fs.rmSync(this.layout.index + suffix, { force: true });
  }
}

function closeQuietly(session: WriteSession | undefined): void {
  try {
    session?.close();
  } catch (error) {
    if (!(error instanceof SimulatedCrash) && !CastoreError.is(error)) throw error;
  }
}
