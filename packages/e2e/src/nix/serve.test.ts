import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StorePath } from "@tvix/store";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findChromium } from "../browser/chromium.js";
import { skipReason } from "../daemon/requirement.js";
import { runProgram } from "../daemon/run.js";
import { type Daemon, startDaemon } from "../daemon/start-daemon.js";
import { http } from "./http-upload.js";
import { narStrings, sha256Base32 } from "./nar-tokens.js";

const executable = findChromium();
const chromiumMissing = skipReason(executable !== undefined, "chromium");

const STORE_PATH = StorePath.parse(`${"0".repeat(32)}-hostile`);

/** Names that mean something in HTML, in URLs or to a terminal. Each file contains its own name. */
const NAMES: readonly Buffer[] = [
  "<script>document.title='pwned'",
  "<img src=x onerror=document.title='pwned'>",
  `"onmouseover="document.title='pwned'`,
  "javascript:document.title='pwned'",
  "100%41",
  "what?a=b",
  "a#b",
  "new\nline",
  "\u202egnp.exe",
  "back\\slash",
  "...",
  "&amp;",
]
  .map((name) => Buffer.from(name))
  .concat([Buffer.of(0xff, 0xfe, 0x41)])
  .sort(Buffer.compare);

const PAGE = "<title>plain</title><script>document.title='pwned'</script>";

/** The files of {@link NAMES} in a directory, and a page with a script. */
function hostileNar(): Buffer {
  const file = (content: string | Buffer) => ["(", "type", "regular", "contents", content, ")"];
  const entry = (name: string | Buffer, ...node: readonly (string | Buffer)[]) => [
    ...["entry", "(", "name", name, "node"],
    ...node,
    ")",
  ];
  const hostile = NAMES.flatMap((name) => entry(name, ...file(name)));
  const directory = ["(", "type", "directory", ...hostile, ")"];
  const entries = [...entry("names", ...directory), ...entry("page.html", ...file(PAGE))];
  return narStrings("nix-archive-1", "(", "type", "directory", ...entries, ")");
}

describe.skipIf(chromiumMissing !== undefined)("files of a store path in Chromium", () => {
  let daemon: Daemon;
  let profile = "";

  beforeAll(async () => {
    profile = await mkdtemp(join(tmpdir(), "tvix-e2e-serve-"));
    daemon = await startDaemon();
    const nar = hostileNar();
    const hash = sha256Base32(nar);
    const narinfo = `StorePath: ${STORE_PATH}\nURL: nar/${hash}.nar\nCompression: none\nNarHash: sha256:${hash}\nNarSize: ${nar.byteLength}\nReferences: \n`;
    for (const [path, body] of [
      [`/nar/${hash}.nar`, nar],
      [`/${STORE_PATH.baseName.slice(0, 32)}.narinfo`, Buffer.from(narinfo)],
    ] as const) {
      expect(await http(daemon.url, path, { method: "PUT", body })).toMatchObject({ status: 200 });
    }
  });

  afterAll(async () => {
    await daemon?.[Symbol.asyncDispose]();
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  });

  /** The document as Chromium has it after it has run what it runs, as HTML. */
  async function open(url: string): Promise<string> {
    const { stdout } = await runProgram(executable ?? "", [
      ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
      ...["--no-first-run", "--disable-background-networking", "--disable-component-update"],
      ...["--disable-sync", `--user-data-dir=${profile}`, "--dump-dom", url],
    ]);
    return stdout.toString("utf8");
  }

  it("are listed as what they are, each with a link to it", async () => {
    const url = `${daemon.url}/serve/${STORE_PATH.baseName}/names`;
    const page = await open(url);
    expect(page).toContain(`<title>${STORE_PATH.baseName}/names/</title>`);
    expect(page).not.toContain("<img");
    expect(page).not.toContain("<script");
    expect(page).not.toContain('onmouseover="');
    expect(page).toContain(`<footer>${NAMES.length} entries</footer>`);
    const links = [...page.matchAll(/<td><a href="(\.\/[^"]*)"/g)].map(([, href = ""]) => href);
    expect(links).toHaveLength(NAMES.length);
    for (const [i, href] of links.entries()) {
      // Resolved as a browser does it: nothing of a name may be taken for a query or a scheme.
      const target = new URL(href, `${url}/`);
      expect(target.origin + target.search + target.hash).toBe(daemon.url);
      const answer = await fetch(target);
      expect([href, Buffer.from(await answer.arrayBuffer())]).toEqual([href, NAMES[i]]);
    }
  });

  it("run no scripts, which they would elsewhere", async () => {
    const elsewhere = createServer((_, response) => {
      response.setHeader("content-type", "text/html").end(PAGE);
    });
    await new Promise<void>((resolve) => elsewhere.listen(0, "127.0.0.1", resolve));
    const { port } = elsewhere.address() as AddressInfo;
    try {
      expect(await open(`http://127.0.0.1:${port}/`)).toContain("<title>pwned</title>");
    } finally {
      elsewhere.closeAllConnections();
      elsewhere.close();
    }
    const url = `${daemon.url}/serve/${STORE_PATH.baseName}/page.html`;
    expect(await open(url)).toContain("<title>plain</title>");
  });
});
