/** What is wrong: something that was written, or a service that cannot be opened as it was written. */
export type CompositionErrorReason = "invalid" | "unusable";

/** A composition that cannot be used. Nothing was opened, or all of it was closed again. */
export class CompositionError extends Error {
  override readonly name: string = "CompositionError";
  readonly reason: CompositionErrorReason;
  /** One for each thing that is wrong: where (file and line, variable or option), and what. */
  readonly problems: readonly string[];

  constructor(reason: CompositionErrorReason, problems: readonly string[], options?: ErrorOptions) {
    super(`Cannot use the composition: ${problems.join("; ")}`, options);
    this.reason = reason;
    this.problems = problems;
  }
}
