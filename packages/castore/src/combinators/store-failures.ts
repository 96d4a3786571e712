import { CastoreError, type CastoreErrorCode } from "../errors.js";

/** What one of several stores failed with. */
export interface StoreFailure {
  /** Name of the store. */
  readonly store: string;
  readonly error: unknown;
}

/** Codes by which a store says something about what it was asked for, not about its own state. */
const ANSWERS: ReadonlySet<string> = new Set<CastoreErrorCode>([
  "INVALID_ARGUMENT",
  "CORRUPT",
  "MISSING_REFERENCE",
  "UNSUPPORTED",
  "PERMISSION_DENIED",
]);

const CODES: ReadonlySet<string> = new Set<CastoreErrorCode>([
  ...(ANSWERS as ReadonlySet<CastoreErrorCode>),
  "UNAVAILABLE",
  "STORAGE",
]);

/**
 * Whether `error` tells that a store is in a bad state, so that it may be better to ask it nothing for a while.
 * A blob that is damaged there, or a call that it does not know, does not tell that.
 */
export function isStoreFailure(error: unknown): boolean {
  const code = codeOf(error);
  return code === undefined || !ANSWERS.has(code);
}

/**
 * One error for those of several stores, whose names and messages it has.
 *
 * Its code is theirs when all have the same, "UNAVAILABLE" when a later attempt may go better, else that
 * of the first.
 *
 * @param action - what could not be done, as in "Cannot read blob b3:..."
 */
export function failureOfStores(action: string, failures: readonly StoreFailure[]): CastoreError {
  const codes = failures.map(({ error }) => codeOf(error) ?? "STORAGE");
  const code = codes.includes("UNAVAILABLE") ? "UNAVAILABLE" : (codes[0] ?? "STORAGE");
  const told = failures.map(({ store, error }) => `${store}: ${messageOf(error)}`);
  const errors = failures.map(({ error }) => error);
  return new CastoreError(code, `${action}: ${told.join("; ")}`, {
    cause: errors.length === 1 ? errors[0] : new AggregateError(errors),
  });
}

/** The code of an error of castore, or of another package that has the same codes. */
function codeOf(error: unknown): CastoreErrorCode | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  const { code } = error;
  return typeof code === "string" && CODES.has(code) ? (code as CastoreErrorCode) : undefined;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
