/**
 * Where the compiled code of a thread is: beside the caller, or under `dist/` when the caller runs
 * from `src/`, as it does in tests, because threads load JavaScript only.
 *
 * @param base - `import.meta.url` of the caller
 */
export function workerUrl(name: string, base: string): URL {
  const compiled = base.endsWith(".ts") ? base.replace("/src/", "/dist/") : base;
  return new URL(`./${name}.js`, compiled);
}
