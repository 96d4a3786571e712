import type { PackFile, PackFiles } from "../localstore/pack-files.js";
import type { SeededRandom } from "./seeded-random.js";

/** What a {@link SimulatedPackFiles} is asked to do; each is a place where it can fail. */
export type PackOperation =
  | "list"
  | "create"
  | "open"
  | "size"
  | "write"
  | "sync"
  | "truncate"
  | "read";

/** How an operation goes wrong. */
export interface PackFault {
  /** The process ends there, or the operation fails with that error of the system. */
  readonly type: "crash" | "ENOSPC" | "EIO";
  /** How much of the operation takes effect before: 0 nothing, 1 all, between a part of a write. */
  readonly share: number;
}

/** Thrown by every operation once the process is taken to have ended. */
export class SimulatedCrash extends Error {
  override readonly name: string = "SimulatedCrash";
}

/** Bytes of a file: as programs see them, and as they are on the disk. */
interface SimulatedFile {
  seen: Uint8Array;
  durable: Uint8Array;
  /** Bytes whose `sync` failed: no later `sync` brings them to the disk. */
  lost: { from: number; to: number } | undefined;
}

/** What a power loss leaves of what was not synced. */
export type PowerLoss = "nothing" | "whole" | "pages" | "bytes" | "zeros";

const PAGE_BYTES = 4096;

/**
 * Packs in memory that fail on demand: any operation can end with an error or end the process, and
 * after a power loss there is no more than what was synced, or something in between.
 */
export class SimulatedPackFiles implements PackFiles {
  readonly #files = new Map<number, SimulatedFile>();
  #crashed = false;
  /** Whether the process is taken to have ended. */
  get crashed(): boolean {
    return this.#crashed;
  }

  /** Operations so far. */
  operations = 0;
  /** Asked before each operation. */
  fault: (index: number, operation: PackOperation) => PackFault | undefined = () => undefined;

  list(): number[] {
    return this.#do("list", () => [...this.#files.keys()].sort((a, b) => a - b));
  }

  create(packId: number): PackFile {
    return this.#do("create", () => {
      if (this.#files.has(packId)) throw systemError("EEXIST", "create");
      const none = new Uint8Array(0);
      const file = { seen: none, durable: none, lost: undefined };
      this.#files.set(packId, file);
      return this.#handle(file);
    });
  }

  open(packId: number): PackFile {
    return this.#do("open", () => {
      const file = this.#files.get(packId);
      if (file === undefined) throw systemError("ENOENT", "open");
      return this.#handle(file);
    });
  }

  /** A new process begins: what the old one wrote is still there. */
  restart(): void {
    this.#crashed = false;
    this.operations = 0;
    this.fault = () => undefined;
  }

  /** The machine loses its power: see {@link PowerLoss}. */
  losePower(random: SeededRandom, left: PowerLoss): void {
    for (const file of this.#files.values()) {
      file.seen = afterPowerLoss(file, random, left);
      file.durable = file.seen;
      file.lost = undefined;
    }
    this.restart();
  }

  /** The bytes of every pack, as programs see them. */
  contents(): Map<number, Uint8Array> {
    return new Map([...this.#files].map(([id, { seen }]) => [id, Uint8Array.from(seen)]));
  }

  #handle(file: SimulatedFile): PackFile {
    return {
      size: () => this.#do("size", () => file.seen.byteLength),
      write: (parts, position) => {
        const bytes = Buffer.concat(parts);
        const write = (share: number) =>
          writeTo(file, bytes.subarray(0, Math.floor(bytes.byteLength * share)), position);
        this.#do("write", () => write(1), write);
      },
      sync: () => {
        const fail = (_share: number, type: PackFault["type"]) => {
          if (type === "crash") return;
          const from = Math.min(file.durable.byteLength, file.lost?.from ?? Infinity);
          file.lost = { from, to: file.seen.byteLength };
        };
        this.#do("sync", () => sync(file), fail);
      },
      truncate: (length) => this.#do("truncate", () => truncate(file, length)),
      read: (target, position) =>
        this.#do("read", () => {
          const bytes = file.seen.subarray(position, position + target.byteLength);
          target.set(bytes);
          return bytes.byteLength;
        }),
      close: () => {},
    };
  }

  #do<T>(
    operation: PackOperation,
    run: () => T,
    runPart: (share: number, type: PackFault["type"]) => void = () => {},
  ): T {
    if (this.#crashed) throw new SimulatedCrash("the process has ended");
    const fault = this.fault(this.operations++, operation);
    if (fault === undefined) return run();
    if (fault.share === 1) run();
    else runPart(fault.share, fault.type);
    if (fault.type !== "crash") throw systemError(fault.type, operation);
    this.#crashed = true;
    throw new SimulatedCrash(`the process ends at ${operation}`);
  }
}

function writeTo(file: SimulatedFile, bytes: Uint8Array, position: number): void {
  const size = Math.max(file.seen.byteLength, position + bytes.byteLength);
  const seen = new Uint8Array(size);
  seen.set(file.seen);
  seen.set(bytes, position);
  file.seen = seen;
  if (file.lost !== undefined && position <= file.lost.from) file.lost = undefined;
}

function sync(file: SimulatedFile): void {
  file.durable = Uint8Array.from(file.seen);
  // The system reports a failed write once and takes its pages for written then.
  if (file.lost !== undefined) file.durable.fill(0, file.lost.from, file.lost.to);
}

function truncate(file: SimulatedFile, length: number): void {
  file.seen = file.seen.slice(0, length);
  if (file.lost !== undefined && length <= file.lost.from) file.lost = undefined;
}

function afterPowerLoss(file: SimulatedFile, random: SeededRandom, left: PowerLoss): Uint8Array {
  const { seen, durable } = file;
  if (left === "nothing" || file.lost !== undefined) return durable;
  if (left === "whole") return seen;
  const same = commonLength(seen, durable);
  const end = same + random.below(seen.byteLength - same + 1);
  if (left === "bytes") return seen.slice(0, end);
  const pageEnd = Math.max(same, end - (end % PAGE_BYTES));
  if (left === "pages") return seen.slice(0, pageEnd);
  return Uint8Array.from(seen).fill(0, end);
}

function commonLength(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.byteLength, b.byteLength);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return i;
  return length;
}

function systemError(code: string, operation: string): Error {
  return Object.assign(new Error(`${code}: simulated, ${operation}`), { code });
}
