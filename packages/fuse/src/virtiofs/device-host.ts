import type { GuestRegion } from "./guest-memory.js";
import type { RegionPlacement } from "./region-placement.js";

/** What a device needs of the system. Files are given by their descriptors. */
export interface DeviceHost {
  /**
   * Shares memory with the guest. The file stays open.
   *
   * @throws {@link VirtiofsError} when the file is shorter than the region, or cannot be mapped
   */
  map(file: number, placement: RegionPlacement): GuestRegion;
  /**
   * Calls `onKick` whenever somebody wrote into an eventfd, which becomes 0 again. The file is closed with the watch.
   *
   * @throws {@link VirtiofsError} when it cannot be watched; then it is still open
   */
  watch(file: number, onKick: () => void): { close(): void };
  /**
   * A way to wake the front-end through an eventfd. The file is closed with it. Raising never fails: who does not
   * listen any more need not hear.
   */
  signal(file: number): Signal;
  close(file: number): void;
  /** Runs `task` after other events had their turn. */
  later(task: () => void): void;
}

/** Wakes the other side. */
export interface Signal {
  raise(): void;
  close(): void;
}
