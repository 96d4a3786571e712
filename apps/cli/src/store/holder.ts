import { toUtf8 } from "@tvix/castore";
import type { LockHolder } from "@tvix/castore/local";
import { displayName } from "../format/names.js";

/**
 * Who holds the lock of a store, for people. What it says of itself comes from a file, so it is
 * shown with everything escaped that could drive a terminal.
 */
export function describeHolder(holder: LockHolder | undefined): string {
  if (holder === undefined) return "another process that is writing to the store";
  const { pid, purpose, since } = holder;
  const time = Number.isNaN(since.getTime()) ? "" : ` since ${since.toLocaleTimeString()}`;
  return `process ${pid} (${displayName(toUtf8(purpose))}), which has been writing to the store${time}`;
}
