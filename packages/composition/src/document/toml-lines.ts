/**
 * Finds the lines of tables and keys in a TOML document, for messages. The parser does not tell; this knows
 * the ways in which they are usually written, and says nothing about the others.
 */
export class TomlLines {
  readonly #lines = new Map<string, number>();

  constructor(text: string) {
    let table = "";
    const counts = new Map<string, number>();
    for (const [index, line] of text.split("\n").entries()) {
      const [, list, header = ""] = /^\s*\[(\[)?\s*([^\]#]+?)\s*\]/.exec(line) ?? [];
      if (header !== "") {
        const name = plainName(header);
        const count = counts.get(name) ?? 0;
        counts.set(name, count + 1);
        table = list === undefined ? name : `${name}[${count}]`;
        this.#note(table, index);
      }
      const [, key] =
        /^\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"))*)\s*=/.exec(line) ?? [];
      if (key !== undefined)
        this.#note(table === "" ? plainName(key) : `${table}.${plainName(key)}`, index);
    }
  }

  /**
   * The line, from 1, of `table.key`, else that of the table, or of the first one in it.
   *
   * @param path - such as `blobservices.root`, `upstreams[1]`
   */
  of(path: string, key?: string): number | undefined {
    const own = key === undefined ? undefined : this.#lines.get(`${path}.${key}`);
    return own ?? this.#lines.get(path) ?? this.#firstBelow(path);
  }

  #firstBelow(path: string): number | undefined {
    for (const [other, line] of this.#lines) {
      if (other.startsWith(`${path}.`) || other.startsWith(`${path}[`)) return line;
    }
    return undefined;
  }

  #note(path: string, index: number): void {
    if (!this.#lines.has(path)) this.#lines.set(path, index + 1);
  }
}

/** `a . "b"` as `a.b`. */
function plainName(text: string): string {
  return text
    .split(".")
    .map((part) => part.trim().replaceAll(/^["']|["']$/g, ""))
    .join(".");
}
