import { defineConfig } from "vitest/config";

// Several of these tests start linters and test runners; the limit is for busy machines.
export default defineConfig({
  test: { include: ["src/**/*.test.ts"], pool: "forks", maxWorkers: 2, testTimeout: 120_000 },
});
