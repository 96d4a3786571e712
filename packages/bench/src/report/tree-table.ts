import type { TreeSize } from "../trees/walk-tree.js";
import { formatCount } from "./format.js";
import { markdownTable } from "./table.js";

/** What is in the trees of a run, by their names. */
export function treeTable(trees: Readonly<Record<string, TreeSize>>): string {
  return markdownTable({
    head: ["tree", "files", "directories", "links", "bytes"],
    rows: Object.entries(trees).map(([name, { files, directories, symlinks, bytes }]) => [
      name,
      ...[files, directories, symlinks, bytes].map(formatCount),
    ]),
  });
}
