/** The options of one command line. Asking for one that was never declared is a mistake of ours. */
export class Options {
  readonly #declared: ReadonlySet<string>;
  readonly #given: ReadonlyMap<string, string | true>;

  constructor(declared: Iterable<string>, given: ReadonlyMap<string, string | true>) {
    this.#declared = new Set(declared);
    this.#given = given;
  }

  /** Whether the switch was given. */
  has(name: string): boolean {
    return this.#lookUp(name) !== undefined;
  }

  /** The value of the option; `undefined` when it was not given. */
  value(name: string): string | undefined {
    const value = this.#lookUp(name);
    return value === true ? undefined : value;
  }

  #lookUp(name: string): string | true | undefined {
    if (!this.#declared.has(name)) throw new TypeError(`Undeclared option "${name}"`);
    return this.#given.get(name);
  }
}
