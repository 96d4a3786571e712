/** The configuration breaks rules. Nothing was started. */
export class ConfigError extends Error {
  override readonly name: string = "ConfigError";
  /** One for each broken rule: where (file and line, variable or option), which key, what is right. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[], options?: ErrorOptions) {
    super(`Cannot use the configuration: ${problems.join("; ")}`, options);
    this.problems = problems;
  }
}
