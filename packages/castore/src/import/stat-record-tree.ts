import type { DirectorySizeRule } from "../nodes/directory.js";
import type { IngestOptions } from "./ingest.js";
import { type RawPath, rawPathBytes } from "./raw-path.js";
import { type ChildRecord, finishStatRecord } from "./stat-record.js";
import type { AssembledDirectory } from "./tree-assembler.js";

/** The largest record that becomes a part of another, in bytes. */
const MAX_PART_BYTES = 64 * 1024;

/** Records in one directory that wait for its own, in bytes. */
const MAX_WAITING_BYTES = 1024 * 1024;

/** A record under its path, as a stat cache takes it. */
interface KeyedRecord {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** What is to become part of one directory's record, by name. */
interface WaitingRecords {
  readonly byName: Map<string, KeyedRecord>;
  bytes: number;
}

/**
 * Makes the stat records of a tree, children before parents. Small ones become part of that of their
 * parent, so that a tree that has not changed takes few look-ups: a directory in it that is imported
 * by itself is then read again, which does not take long.
 */
export class StatRecordTree {
  readonly #root: RawPath;
  readonly #sizeRule: DirectorySizeRule;
  /** By depth: directories come one after the other, each after all that is in it. */
  readonly #waiting: (WaitingRecords | undefined)[] = [];

  constructor(root: RawPath, { sizeRule = "documented" }: IngestOptions) {
    this.#root = root;
    this.#sizeRule = sizeRule;
  }

  /** @returns the records to write now */
  add(assembled: AssembledDirectory): KeyedRecord[] {
    const { node, record, path } = assembled;
    const inside = this.#waiting[path.length + 1]?.byName ?? new Map<string, KeyedRecord>();
    this.#waiting.length = Math.min(this.#waiting.length, path.length + 1);
    if (record.byteLength === 0) return [...inside.values()];
    const children = childRecords(assembled, inside);
    const value = finishStatRecord(record, node, children, this.#sizeRule);
    const own = { key: this.#key(path.map((name) => `/${name.key}`).join("")), value };
    const name = path.at(-1)?.key;
    return name !== undefined && this.#wait(path.length, name, own) ? [] : [own];
  }

  #key(names: string): Uint8Array {
    return rawPathBytes(this.#root === "/" && names !== "" ? names : this.#root + names);
  }

  #wait(depth: number, name: string, record: KeyedRecord): boolean {
    const waiting = this.#waiting[depth] ?? { byName: new Map<string, KeyedRecord>(), bytes: 0 };
    this.#waiting[depth] = waiting;
    const { byteLength } = record.value;
    if (byteLength > MAX_PART_BYTES || waiting.bytes + byteLength > MAX_WAITING_BYTES) return false;
    waiting.bytes += byteLength;
    waiting.byName.set(name, record);
    return true;
  }
}

function childRecords(
  { directory }: AssembledDirectory,
  inside: ReadonlyMap<string, KeyedRecord>,
): ChildRecord[] {
  return directory.entries.flatMap(({ name, node }) =>
    node.type === "directory" ? [{ digest: node.digest, record: inside.get(name.key)?.value }] : [],
  );
}
