import { defineConfig } from "vitest/config";

// One file at a time: these tests start programs that use both cores themselves, and some of them
// check how long things take. The limits are for slow machines; a hung program still ends the run.
export default defineConfig({
  test: {
    include: ["src/**/*.test.ts"],
    pool: "forks",
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
