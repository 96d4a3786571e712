import type { Directory, PathComponent } from "@tvix/castore";

/** st_nlink of a directory: its name, its `.`, and the `..` of each directory in it. */
export function linksOf(directory: Directory): number {
  let links = 2;
  for (const { node } of directory.entries) if (node.type === "directory") links++;
  return links;
}

/** Which entry of a Directory has that name; -1 when none has. Takes O(log n). */
export function indexOfName(directory: Directory, name: PathComponent): number {
  let low = 0;
  let high = directory.entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const order = directory.entries[middle]?.name.compare(name) ?? 0;
    if (order === 0) return middle;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return -1;
}
