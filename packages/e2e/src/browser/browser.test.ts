import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EXPECTED } from "../library/vectors.js";
import { bundlePage, nodeModulesIn } from "./bundle.js";
import { Chromium, findChromium } from "./chromium.js";
import { PageServer } from "./page-server.js";

const PAGE_TIMEOUT_MS = 120_000;

describe("the pure parts, bundled for browsers", () => {
  let folder = "";

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "tvix-e2e-browser-"));
    await bundlePage(folder);
  });

  afterAll(async () => {
    await rm(folder, { recursive: true });
  });

  it("need nothing of Node", async () => {
    expect(nodeModulesIn(await readFile(join(folder, "page.js"), "utf8"))).toEqual([]);
  });

  it("compute the same digests, NARs and store paths in Chromium", async (context) => {
    const executable = findChromium();
    if (executable === undefined) return context.skip("chromium is not installed");
    await using server = await PageServer.listen(folder);
    await using chromium = await Chromium.open(executable, server.url);
    const log = (): string => `no report from the page; Chromium says:\n${chromium.log}`;
    const timeout = rejectAfter(PAGE_TIMEOUT_MS, log);
    const report = await Promise.race([server.report, chromium.ended(), timeout.promise]).finally(
      timeout.clear,
    );
    expect(JSON.parse(report)).toEqual({ vectors: EXPECTED });
  });
});

function rejectAfter(
  ms: number,
  message: () => string,
): { promise: Promise<never>; clear: () => void } {
  let clear = (): void => {};
  const promise = new Promise<never>((_, reject) => {
    const timer = setTimeout(() => reject(new Error(message())), ms);
    clear = () => clearTimeout(timer);
  });
  return { promise, clear };
}
