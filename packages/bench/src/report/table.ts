/** A table as text: a heading and cells of equal number in each row. */
export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** How many columns, from the first on, hold text and are aligned to the left; 1 by default. */
  readonly textColumns?: number;
}

/**
 * A Markdown table. Columns of numbers are aligned to the right, and all are filled up, so that it
 * reads well as plain text too.
 *
 * @throws {@link RangeError} when a row has another number of cells than the head
 */
export function markdownTable({ head, rows, textColumns = 1 }: Table): string {
  for (const row of rows) {
    if (row.length !== head.length) {
      throw new RangeError(`Cannot write a table: ${row.length} cells under ${head.length} heads`);
    }
  }
  const lines = [head, ...rows].map((row) => row.map(escapeCell));
  const widths = head.map((_, column) =>
    Math.max(3, ...lines.map((cells) => [...(cells[column] ?? "")].length)),
  );
  const rule = widths.map((width, column) =>
    column < textColumns ? "-".repeat(width) : `${"-".repeat(width - 1)}:`,
  );
  const [first = [], ...rest] = lines.map((cells) =>
    cells.map((cell, column) => pad(cell, widths[column] ?? 0, column < textColumns)),
  );
  return [first, rule, ...rest].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function pad(cell: string, width: number, left: boolean): string {
  const fill = " ".repeat(Math.max(0, width - [...cell].length));
  return left ? cell + fill : fill + cell;
}

function escapeCell(cell: string): string {
  return cell.replaceAll("|", "\\|").replaceAll("\n", " ");
}
