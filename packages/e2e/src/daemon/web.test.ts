import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundlePage } from "../browser/bundle.js";
import { Chromium, findChromium } from "../browser/chromium.js";
import { PageServer } from "../browser/page-server.js";
import { skipReason } from "./requirement.js";
import { type Daemon, startDaemon } from "./start-daemon.js";
import type { OtherOrigin, WebReport } from "./web-page.js";

const TOKEN = "token-of-the-web-page";

const executable = findChromium();
const chromiumMissing = skipReason(executable !== undefined, "chromium");

type Report = Record<
  "grpcWeb" | "grpcWebJson" | "connect" | "otherGrpcWeb" | "otherConnect",
  WebReport
> & {
  readonly otherOrigin: OtherOrigin;
  readonly withoutToken: string;
  readonly blobSize: string | null;
  readonly error?: string;
};

describe.skipIf(chromiumMissing !== undefined)("a page in Chromium", () => {
  let daemon: Daemon;
  /** One that lets pages of this origin call. */
  let open: Daemon;
  let folder = "";
  let report: Report;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "tvix-e2e-web-"));
    const page = join(import.meta.dirname, "web-page.ts");
    [daemon] = await Promise.all([startDaemon(), bundlePage(folder, page)]);
    await using server = await PageServer.listen(folder, daemon.url);
    const tokens = join(folder, "tokens");
    await writeFile(tokens, `page write ${TOKEN}\n`, { mode: 0o600 });
    const { origin } = new URL(server.url);
    const settings = ["--cors-origin", "https://example.org", "--cors-origin", origin];
    open = await startDaemon({ args: [...settings, "--tokens", tokens] });
    const others = { refusing: daemon.url, open: open.url, token: TOKEN };
    const url = `${server.url}#${encodeURIComponent(JSON.stringify(others))}`;
    await using chromium = await Chromium.open(executable ?? "", url);
    // A page that never reports runs into the limit of the hook; the report says what else went wrong.
    report = JSON.parse(await Promise.race([server.report, chromium.ended()])) as Report;
  });

  afterAll(async () => {
    await daemon?.[Symbol.asyncDispose]();
    await open?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  it("gets to its end", () => {
    expect(report.error).toBeUndefined();
  });

  const protocols = ["grpcWeb", "grpcWebJson", "connect", "otherGrpcWeb", "otherConnect"] as const;
  it.each(protocols)("calls the daemon by %s", (protocol) => {
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

  it("of another origin that may call sees errors and headers too", () => {
    expect(report.withoutToken).toBe("Unauthenticated");
    expect(report.blobSize).toBe("5");
  });
});
