import { randomBytes } from "node:crypto";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Outcome, Sandbox } from "../cli/tvix.js";
import { Certificates } from "./certificates.js";
import { type Daemon, startDaemon } from "./start-daemon.js";

const READER = "token-that-may-read";
const WRITER = "token-that-may-write";

/** What two versions of a tree share, and what they do not. */
const SHARED = randomBytes(2_000_000);
const OWN_BYTES = 10_000;

let certificates: Certificates;
let sandbox: Sandbox;
let daemon: Daemon;
/** Store paths of the two versions, in the store "source". */
let paths: readonly [first: string, second: string];

beforeAll(async () => {
  certificates = await Certificates.create();
  certificates.makeAuthority("authority");
  certificates.makeAuthority("stranger");
  certificates.makeCertificate("server", "authority");
  sandbox = await Sandbox.create();
  await writeFile(sandbox.path("tokens"), `reader read ${READER}\nwriter write ${WRITER}\n`);
  await writeFile(sandbox.path("reader"), `${READER}\n`);
  await writeFile(sandbox.path("writer"), `${WRITER}\n`);
  const tls = ["--tls-cert", certificates.file("server.pem"), "--tls-key"];
  daemon = await startDaemon({
    args: [...tls, certificates.file("server.key"), "--tokens", sandbox.path("tokens")],
  });
  paths = [await importVersion("first"), await importVersion("second")];
});

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]();
  await sandbox?.remove();
  await certificates?.remove();
});

async function importVersion(name: string): Promise<string> {
  await mkdir(sandbox.path(name));
  await writeFile(sandbox.path(name, "shared"), SHARED);
  await writeFile(sandbox.path(name, "text"), "text ".repeat(100_000));
  await writeFile(sandbox.path(name, "own"), randomBytes(OWN_BYTES));
  return await sandbox.text(["import", sandbox.path(name), ...store("source")]);
}

function store(name: string): readonly string[] {
  return ["--store", `local://${sandbox.path("stores", name)}`];
}

/** Runs `tvix copy`, with the daemon's authority among those that are known, or another. */
async function copy(args: readonly string[], authority = "authority"): Promise<Outcome> {
  const env = {
    NODE_EXTRA_CA_CERTS: certificates.file(`${authority}.pem`),
    TMPDIR: sandbox.path("temporary"),
  };
  await mkdir(env.TMPDIR, { recursive: true });
  return await sandbox.run(["copy", ...args], { env });
}

function token(name: string): readonly string[] {
  return ["--cache-token-file", sandbox.path(name)];
}

describe("tvix copy and a cache over https that asks who comes", () => {
  it("sends nothing without the right token, and says why", async () => {
    const to = ["--to", daemon.url, ...store("source"), paths[0]];
    const none = await copy(to);
    expect([none.status, none.stderr]).toEqual([1, expect.stringContaining("user name")]);
    const reader = await copy([...to, ...token("reader")]);
    expect([reader.status, reader.stderr]).toEqual([1, expect.stringContaining("403")]);
    // The token of the own store is nothing for others.
    const own = await copy([...to, "--token-file", sandbox.path("writer")]);
    expect(own.status).toBe(1);
    for (const { stderr } of [none, reader, own]) expect(stderr).not.toContain("token-that");
  });

  it("sends nothing to a server that it does not trust", async () => {
    const to = ["--to", daemon.url, ...store("source"), paths[0], ...token("writer")];
    const { status, stderr } = await copy(to, "stranger");
    expect([status, stderr]).toEqual([1, expect.stringContaining("certificate")]);
    expect(stderr).not.toContain(WRITER);
  });

  it.each(["none", "zstd"])(
    "sends a path as %s, once, and keeps no file of it",
    async (compression) => {
      const name = `version-${compression}`;
      const path = await importVersion(name);
      const to = ["--to", daemon.url, ...store("source"), path, ...token("writer")];
      const args = [...to, "--compression", compression, "--json"];
      const first = await copy(args);
      expect(first).toMatchObject({ status: 0 });
      const { copied, bytesMoved, narSize } = JSON.parse(first.stdout.toString("utf8"));
      expect(copied).toBe(true);
      if (compression === "none") expect(bytesMoved).toBe(narSize);
      else expect(bytesMoved).toBeLessThan(narSize - 400_000);
      expect((await copy(args)).stderr).toContain("copied 0 paths, 0 B moved");
      expect(await readdir(sandbox.path("temporary"))).toEqual([]);
      const back = store(`back-${compression}`);
      const from = ["--from", daemon.url, "--no-check-sigs", ...token("reader"), ...back, path];
      expect(await copy(from)).toMatchObject({ status: 0 });
      const hash = ["nar", "hash", path];
      expect(await sandbox.text([...hash, ...back])).toBe(
        await sandbox.text([...hash, ...store("source")]),
      );
    },
  );

  it("takes only what is missing from one of us, who asks too", async () => {
    const to = ["--to", daemon.url, ...store("source"), ...paths, ...token("writer")];
    expect(await copy(to)).toMatchObject({ status: 0 });
    const password = daemon.url.replace("//", `//anybody:${READER}@`);
    for (const [name, from] of [
      ["token", ["--from", daemon.url, ...token("reader")]],
      ["password", ["--from", password]],
    ] as const) {
      const near = store(`near-${name}`);
      const args = [...from, "--no-check-sigs", "--json", ...near];
      expect(await copy([...args, paths[0]])).toMatchObject({ status: 0 });
      const second = await copy([...args, paths[1]]);
      const { bytesMoved } = JSON.parse(second.stdout.toString("utf8"));
      expect(bytesMoved).toBeGreaterThanOrEqual(OWN_BYTES);
      expect(bytesMoved).toBeLessThan(2 * OWN_BYTES);
    }
  });

  it.each([
    ["--compression", "bzip2", /one of none, zstd/],
    ["--compression", "zstd", /for --to http/, "--from"],
  ])("refuses %s %s", async (option, value, why, direction = "--to") => {
    const args = [direction, daemon.url, option, value, ...store("source"), paths[0]];
    const { status, stderr } = await copy(args);
    expect([status, stderr]).toEqual([2, expect.stringMatching(why)]);
  });
});
