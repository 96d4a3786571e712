// Puts the command into a few files: a program of a hundred small modules spends more time on finding
// and reading them than most of its commands take. The libraries stay as they are for other people.
import { defineConfig } from "rolldown";

const castore = "../../packages/castore/dist";

export default defineConfig({
  platform: "node",
  input: {
    main: "dist/main.js",
    // Threads are started by the names that these files have beside the code that starts them.
    "reader-thread": `${castore}/import/reader-thread.js`,
    "encoder-thread": `${castore}/localstore/encoder-thread.js`,
    "writer-thread": `${castore}/localstore/writer-thread.js`,
  },
  // Compiled code and WebAssembly are found through their packages.
  external: ["better-sqlite3", "@bokuweb/zstd-wasm"],
  output: {
    dir: "bundle",
    format: "esm",
    cleanDir: true,
    entryFileNames: "[name].js",
    // All side by side, so that a thread's URL is right wherever its caller ended up.
    chunkFileNames: "[name]-[hash].js",
  },
});
