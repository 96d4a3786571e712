// Puts the command into a few files: a program of a hundred small modules spends more time on finding
// and reading them than most of its commands take. The libraries stay as they are for other people.
import { defineConfig } from "rolldown";

const castore = "../../packages/castore/dist";
const store = "../../packages/store/dist";

/**
 * Loads a CommonJS package as one: for an `import` of it Node would read all of its files twice, first
 * for the names that they export.
 */
const required = {
  name: "required",
  resolveId: (id) => (id === "better-sqlite3" ? `\0required:${id}` : undefined),
  load: (id) =>
    id.startsWith("\0required:")
      ? `import { createRequire } from "node:module";
         export default createRequire(import.meta.url)(${JSON.stringify(id.slice(10))});`
      : undefined,
};

export default defineConfig({
  platform: "node",
  input: {
    main: "dist/main.js",
    // Threads are started by the names that these files have beside the code that starts them.
    "reader-thread": `${castore}/import/reader-thread.js`,
    "decoder-thread": `${castore}/localstore/decoder-thread.js`,
    "encoder-thread": `${castore}/localstore/encoder-thread.js`,
    "writer-thread": `${castore}/localstore/writer-thread.js`,
    "bzip2-thread": `${store}/compression/bzip2-thread.js`,
  },
  // Compiled code and WebAssembly are found through their packages.
  plugins: [required],
  // What the daemon loads only when it is asked to stays in its packages too.
  external: ["@bokuweb/zstd-wasm", "pino", "prom-client", /^@opentelemetry\//],
  output: {
    dir: "bundle",
    format: "esm",
    cleanDir: true,
    entryFileNames: "[name].js",
    // All side by side, so that a thread's URL is right wherever its caller ended up.
    chunkFileNames: "[name]-[hash].js",
  },
});
