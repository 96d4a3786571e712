import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "vite";

/** The page itself reports what keeps the module from running. */
const PAGE = `<!doctype html>
<title>tvix</title>
<script>
  addEventListener("error", ({ message }) => {
    fetch("/report", { method: "POST", body: JSON.stringify({ error: message }) });
  });
</script>
<script type="module" src="/page.js"></script>
`;

/**
 * Bundles a page and all it imports for browsers into `outDir`, with an `index.html` beside it.
 *
 * @param entry - module of the page
 */
export async function bundlePage(
  outDir: string,
  entry: string = join(import.meta.dirname, "page.ts"),
): Promise<void> {
  await build({
    configFile: false,
    root: import.meta.dirname,
    logLevel: "silent",
    build: {
      outDir,
      emptyOutDir: true,
      target: "es2023",
      lib: { entry, formats: ["es"], fileName: "page" },
    },
  });
  await writeFile(join(outDir, "index.html"), PAGE);
}

/** Traces of modules that only Node has: left as imports, or replaced by stubs that throw. */
export function nodeModulesIn(bundle: string): string[] {
  return (
    bundle.match(/["']node:[a-z/_]+["']|__vite-browser-external\S*|externalized for browser/g) ?? []
  );
}
