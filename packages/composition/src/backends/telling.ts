import type { OpenContext } from "../registry/backend.js";

/** Tells what failed in the background: the service still works, but somebody should know, once. */
export function telling(
  { label, warn }: Pick<OpenContext, "label" | "warn">,
  what: string,
): (error: unknown) => void {
  let last: string | undefined;
  return (error) => {
    const reason = error instanceof Error ? error.message : String(error);
    if (reason === last) return;
    last = reason;
    warn(`${label}: ${what}: ${reason}`);
  };
}
