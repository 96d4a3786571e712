import type { StorePath } from "./store-path.js";

/** The paths in the order in which Nix keeps sets of them, that of their texts, each once. */
export function sortedStorePaths(paths: readonly StorePath[]): readonly StorePath[] {
  const names = paths.map(({ baseName }) => baseName);
  // The texts are ASCII, for which the order of code units is that of bytes.
  if (names.every((name, i) => i === 0 || (names[i - 1] as string) < name)) return paths;
  const byName = new Map(names.map((name, i) => [name, paths[i] as StorePath]));
  return [...byName.keys()].sort().map((name) => byName.get(name) as StorePath);
}
