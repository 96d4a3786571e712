import type { Clock } from "../clock.js";
import { GuardedStore, type GuardOptions } from "./guarded-store.js";

/** How patient a cache waits for the store that is far, and when it is left alone. */
export interface FarOptions extends GuardOptions {
  /** What it is called in messages; "far" by default. */
  readonly name?: string;
}

/** Longest time that a far which was down is left alone: whoever waits for it to come back is a person. */
const MAX_RETRY_AFTER_MS = 5000;

/** There is no other store to ask: who asks for many things at a time is not to fail for that. */
const PROBE_PATIENCE_MS = 1000;

/** The far store of a cache. */
export function guardFar<S>(service: S, options: FarOptions = {}, clock?: Clock): GuardedStore<S> {
  const defaults = { maxRetryAfterMs: MAX_RETRY_AFTER_MS, probePatienceMs: PROBE_PATIENCE_MS };
  const guard = { ...defaults, ...(clock && { clock }), ...options };
  return new GuardedStore({ service, name: options.name ?? "far" }, guard);
}
