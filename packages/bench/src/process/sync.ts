import { measure } from "./measure.js";

/** Has everything written that waits for it, so that it is not written while something is measured. */
export async function sync(signal: AbortSignal): Promise<void> {
  await measure({ program: "sync", args: [] }, { stdout: "discard", signal });
}
