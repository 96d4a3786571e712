import type { StorePath } from "./store-path.js";

/** The paths in the order in which Nix keeps sets of them, that of their texts, each once. */
export function sortedStorePaths(paths: readonly StorePath[]): readonly StorePath[] {
  const byBaseName = new Map(paths.map((path) => [path.baseName, path]));
  // The texts are ASCII, for which the order of code units is that of bytes.
  return [...byBaseName].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path);
}
