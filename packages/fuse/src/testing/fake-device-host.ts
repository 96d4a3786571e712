import type { DeviceHost, Signal } from "../virtiofs/device-host.js";
import type { GuestRegion } from "../virtiofs/guest-memory.js";
import type { RegionPlacement } from "../virtiofs/region-placement.js";
import { VirtiofsError } from "../virtiofs/virtiofs-error.js";
import { PlainRegion } from "./plain-region.js";

/** A system without files: numbers stand for them, and everything that is done with them is written down. */
export class FakeDeviceHost implements DeviceHost {
  readonly regions: PlainRegion[] = [];
  readonly raised: number[] = [];
  readonly tasks: (() => void)[] = [];
  readonly #open = new Set<number>();
  readonly #watches = new Map<number, () => void>();
  #next = 100;

  /** Files that nobody has closed. */
  get open(): ReadonlySet<number> {
    return this.#open;
  }

  /** A file that the front-end sends. */
  newFile(): number {
    this.#next += 1;
    this.#open.add(this.#next);
    return this.#next;
  }

  /** Writes into an eventfd that may be watched. */
  kick(file: number): void {
    this.#watches.get(file)?.();
  }

  map(file: number, placement: RegionPlacement): GuestRegion {
    this.#check(file);
    if (placement.size > MAX_SIZE) throw new VirtiofsError("memory", "Cannot map: it is too long");
    const region = new PlainRegion(placement.guestAddress, placement.size);
    const mapped: GuestRegion = {
      ...placement,
      windows: region.windows,
      unmap: () => region.unmap(),
    };
    this.regions.push(region);
    return mapped;
  }

  watch(file: number, onKick: () => void): { close(): void } {
    this.#check(file);
    this.#watches.set(file, onKick);
    return {
      close: () => {
        this.#watches.delete(file);
        this.close(file);
      },
    };
  }

  signal(file: number): Signal {
    this.#check(file);
    return {
      raise: () => {
        this.#check(file);
        this.raised.push(file);
      },
      close: () => this.close(file),
    };
  }

  close(file: number): void {
    this.#check(file);
    this.#open.delete(file);
  }

  later(task: () => void): void {
    this.tasks.push(task);
  }

  #check(file: number): void {
    if (!this.#open.has(file)) throw new RangeError(`File ${file} is not open`);
  }
}

const MAX_SIZE = 2 ** 24;
