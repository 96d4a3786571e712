import { describe, expect, it } from "vitest";
import { workerUrl } from "./worker-url.js";

describe("workerUrl()", () => {
  it.each([
    ["compiled code", "file:///p/dist/import/caller.js", "file:///p/dist/import/some-thread.js"],
    ["a source", "file:///p/src/import/caller.ts", "file:///p/dist/import/some-thread.js"],
    [
      "compiled code below a folder named src",
      "file:///usr/src/p/dist/import/caller.js",
      "file:///usr/src/p/dist/import/some-thread.js",
    ],
    [
      "a source below a folder named src",
      "file:///usr/src/p/src/import/caller.ts",
      "file:///usr/src/p/dist/import/some-thread.js",
    ],
    [
      "a path with characters that are escaped",
      "file:///a%20b%23/p/src/import/caller.ts",
      "file:///a%20b%23/p/dist/import/some-thread.js",
    ],
  ])("is beside %s, compiled", (_, base, url) => {
    expect(workerUrl("some-thread", base).href).toBe(url);
  });
});
