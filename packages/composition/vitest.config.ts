import { defineConfig } from "vitest/config";

// The limit is for busy machines; a test that hangs still ends the run.
export default defineConfig({
  test: { include: ["src/**/*.test.ts"], pool: "forks", maxWorkers: 2, testTimeout: 60_000 },
});
