import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundlePage } from "../browser/bundle.js";
import { Chromium, findChromium } from "../browser/chromium.js";
import { PageServer } from "../browser/page-server.js";
import { skipReason } from "./requirement.js";
import { type Daemon, startDaemon } from "./start-daemon.js";
import type { OtherOrigin, WebReport } from "./web-page.js";

const executable = findChromium();
const chromiumMissing = skipReason(executable !== undefined, "chromium");

type Report = Record<"grpcWeb" | "grpcWebJson" | "connect", WebReport> & {
  readonly otherOrigin: OtherOrigin;
  readonly error?: string;
};

describe.skipIf(chromiumMissing !== undefined)("a page in Chromium", () => {
  let daemon: Daemon;
  let folder = "";
  let report: Report;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "tvix-e2e-web-"));
    const page = join(import.meta.dirname, "web-page.ts");
    [daemon] = await Promise.all([startDaemon(), bundlePage(folder, page)]);
    await using server = await PageServer.listen(folder, daemon.url);
    const url = `${server.url}#${encodeURIComponent(daemon.url)}`;
    await using chromium = await Chromium.open(executable ?? "", url);
    // A page that never reports runs into the limit of the hook; the report says what else went wrong.
    report = JSON.parse(await Promise.race([server.report, chromium.ended()])) as Report;
  });

  afterAll(async () => {
    await daemon?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  it("gets to its end", () => {
    expect(report.error).toBeUndefined();
  });

  it.each(["grpcWeb", "grpcWebJson", "connect"] as const)("calls the daemon by %s", (protocol) => {
    expect(report[protocol]).toEqual({
      putDigest: "right",
      chunks: expect.any(Number),
      messages: expect.any(Number),
      readDigest: "right",
      directories: 0,
      pathInfos: 0,
      narSize: "3000112",
      codes: ["NotFound", "InvalidArgument", "NotFound", "NotFound"],
      canceled: "Canceled",
    });
    expect(report[protocol].chunks).toBeGreaterThan(1);
    expect(report[protocol].messages).toBeGreaterThan(1);
  });

  it("of another origin gets no answer", () => {
    expect(report.otherOrigin).toBe("refused");
  });
});
