/** Calls of {@link onAbort} that have not been ended; each has an object of its own. */
type Listeners = Set<{ readonly listener: () => void }>;

/** Of every signal that has any. */
const LISTENERS = new WeakMap<
  AbortSignal,
  { readonly all: Listeners; readonly fire: () => void }
>();

/**
 * Calls `listener` when `signal` aborts; never when it has already. All listeners of a signal share one of the
 * platform's, because Node warns of a leak where more than ten calls at a time listen to the same signal.
 *
 * @returns ends that
 */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  const shared = LISTENERS.get(signal) ?? share(signal);
  const entry = { listener };
  shared.all.add(entry);
  return () => {
    shared.all.delete(entry);
    // A signal that depends on others is kept in memory as long as anybody listens to it.
    if (shared.all.size === 0 && LISTENERS.get(signal) === shared) {
      LISTENERS.delete(signal);
      signal.removeEventListener("abort", shared.fire);
    }
  };
}

function share(signal: AbortSignal): { readonly all: Listeners; readonly fire: () => void } {
  const all: Listeners = new Set();
  const fire = (): void => {
    LISTENERS.delete(signal);
    // Whom another listener ends meanwhile is not called.
    for (const entry of all) entry.listener();
  };
  signal.addEventListener("abort", fire, { once: true });
  const shared = { all, fire };
  LISTENERS.set(signal, shared);
  return shared;
}
