import { describeFailure } from "../failure.js";

/** A line for a request of a kernel that failed: which, why, and how many more there were. */
export function describeFailedRequest(
  error: unknown,
  request: { readonly operation: string; readonly unreported: number },
): string {
  const { operation, unreported } = request;
  const more = unreported === 0 ? "" : ` (and ${unreported} more since the last message)`;
  return `${operation} failed: ${describeFailure(error).message}${more}`;
}
