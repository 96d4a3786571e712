/**
 * Where the compiled code of a thread is: beside the caller, or under `dist/` when the caller runs from
 * `src/`, as it does in tests, because threads load JavaScript only.
 *
 * @param base - `import.meta.url` of the caller
 */
export function workerUrl(name: string, base: string): URL {
  // The innermost `src`: the package itself may lie below a folder of that name.
  const compiled = base.endsWith(".ts") ? base.replace(/^(.*)\/src\//, "$1/dist/") : base;
  return new URL(`./${name}.js`, compiled);
}
