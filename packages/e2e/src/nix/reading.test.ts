import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nixMissing } from "../cli/nix.js";
import { type Daemon, startDaemon } from "../daemon/start-daemon.js";
import { NixRig } from "./nix-rig.js";
import { BUILD_LOG, makeSampleClosure, type SampleClosure } from "./sample-closure.js";

describe.skipIf(nixMissing !== undefined)("the real Nix reads from the daemon", () => {
  let rig: NixRig;
  let sample: SampleClosure;
  let daemon: Daemon;

  beforeAll(async () => {
    [rig, daemon] = await Promise.all([NixRig.create(), startDaemon()]);
    sample = await makeSampleClosure(rig);
    await sample.store.text("nix", ["copy", "--to", `${daemon.url}?compression=none`, sample.app]);
  });

  afterAll(async () => {
    await daemon?.[Symbol.asyncDispose]();
    await rig?.[Symbol.asyncDispose]();
  });

  async function ask(program: string, ...args: readonly string[]): Promise<string> {
    return await rig.text(program, [...args, "--store", daemon.url]);
  }

  it("by nix store ping", async () => {
    await ask("nix", "store", "ping");
  });

  it("by nix path-info", async () => {
    const text = await ask("nix", "path-info", "--json", "-r", sample.app);
    const infos = JSON.parse(text) as readonly { path: string; downloadHash: string }[];
    expect(infos.map(({ path }) => path)).toEqual(sample.all);
    expect(infos.every(({ downloadHash }) => /^sha256/.test(downloadHash))).toBe(true);
  });

  it("by nix-store --query and --check-validity", async () => {
    const requisites = await ask("nix-store", "--query", "--requisites", sample.app);
    expect(requisites.split("\n").sort()).toEqual(sample.all);
    await ask("nix-store", "--check-validity", ...sample.all);
    const gone = sample.app.replace(/[0-9a-z]{32}/, "0".repeat(32));
    const check = await rig.run("nix-store", ["--check-validity", gone, "--store", daemon.url]);
    expect(check.status).toBe(1);
  });

  it("by nix store ls", async () => {
    const listing = (await ask("nix", "store", "ls", "-lR", sample.app)).split("\n");
    expect(listing).toContainEqual(expect.stringMatching(/^-r-xr-xr-x +\d+ \.\/bin\/app$/));
    expect(listing).toContainEqual(expect.stringContaining(`./lib -> ${sample.libfoo}/lib`));
    expect(await ask("nix", "store", "ls", "--json", "-R", `${sample.libfoo}/share`)).toContain(
      '"target":"../lib/libfoo.txt"',
    );
  });

  it("by nix store cat", async () => {
    const large = await rig.output("nix", [
      ...["store", "cat", `${sample.src}/large`, "--store", daemon.url],
    ]);
    expect(large.equals(await readFile(join(rig.path("source"), "large")))).toBe(true);
    expect(await ask("nix", "store", "cat", sample.fixed)).toBe("fixed");
  });

  it("by nix store dump-path", async () => {
    const nar = await rig.output("nix", ["store", "dump-path", sample.src, "--store", daemon.url]);
    const hash = createHash("sha256").update(nar).digest("hex");
    expect(hash).toBe(await sample.store.dumpHash(sample.src));
  });

  it("by nix store verify", async () => {
    await ask("nix", "store", "verify", "--no-trust", "-r", sample.app);
  });

  it("by nix-store --realise with the daemon as substituter", async () => {
    const store = rig.store("substituted");
    const config = { substituters: daemon.url };
    await store.text("nix-store", ["--realise", sample.app], { config });
    expect(await store.closure(sample.app)).toEqual(sample.all);
    expect(await store.dumpHash(sample.src)).toBe(await sample.store.dumpHash(sample.src));
  });

  it("by nix log, after nix store copy-log", async () => {
    // Of what was built, which the daemon knows: it has no derivations.
    const before = await rig.run("nix", ["log", sample.libfoo, "--store", daemon.url]);
    expect(before.status).toBe(1);
    expect(before.stderr).toContain("is not available");
    await sample.store.text("nix", ["store", "copy-log", "--to", daemon.url, sample.libfooDrv]);
    expect(await ask("nix", "log", sample.libfoo)).toBe(BUILD_LOG.trimEnd());
  });

  it("and leaves nothing in the log of the daemon", () => {
    expect(daemon.log()).not.toMatch(/"level":"(?:error|warn)"/);
  });
});
