import { copyFile, writeFile } from "node:fs/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { nixMissing } from "../cli/nix.js";
import { reload } from "../daemon/reload.js";
import { type Daemon, startDaemon } from "../daemon/start-daemon.js";
import { type NixKey, NixRig } from "./nix-rig.js";
import { makeSampleClosure, type SampleClosure } from "./sample-closure.js";

describe.skipIf(nixMissing !== undefined)("signatures of the real Nix", () => {
  let rig: NixRig;
  let sample: SampleClosure;
  let key: NixKey;
  let stranger: NixKey;
  const daemons: Daemon[] = [];

  beforeAll(async () => {
    rig = await NixRig.create();
    sample = await makeSampleClosure(rig);
    key = await rig.key("cache.example.org-1");
    stranger = await rig.key("stranger.example.org-1");
  });

  afterEach(async () => {
    for (const daemon of daemons.splice(0)) await daemon[Symbol.asyncDispose]();
  });

  afterAll(async () => {
    await rig?.[Symbol.asyncDispose]();
  });

  async function start(...args: readonly string[]): Promise<Daemon> {
    const daemon = await startDaemon({ args });
    daemons.push(daemon);
    return daemon;
  }

  /** Copies the closure to a daemon; with a key, Nix signs on the way. */
  async function copyTo({ url }: Daemon, secretFile?: string): Promise<string> {
    const secret = secretFile === undefined ? "" : `&secret-key=${secretFile}`;
    const target = `${url}?compression=none${secret}`;
    const { status, stderr } = await sample.store.run("nix", ["copy", "--to", target, sample.app]);
    return status === 0 ? "copied" : stderr;
  }

  /** Copies the closure into an empty store that trusts one key; the store's name must be new. */
  async function copyFrom({ url }: Daemon, store: string, trusted: NixKey): Promise<string> {
    const config = { "require-sigs": "true", "trusted-public-keys": trusted.publicKey };
    const args = ["copy", "--from", url, sample.app];
    const { status, stderr } = await rig.store(store).run("nix", args, { config });
    return status === 0 ? "copied" : stderr;
  }

  async function substitute({ url }: Daemon, store: string, trusted: NixKey): Promise<boolean> {
    const config = {
      "require-sigs": "true",
      "trusted-public-keys": trusted.publicKey,
      substituters: url,
    };
    const { status } = await rig.store(store).run("nix-store", ["-r", sample.app], { config });
    return status === 0;
  }

  it("made while uploading are kept, and no others are believed", async () => {
    const daemon = await start();
    expect(await copyTo(daemon, key.secretFile)).toBe("copied");
    expect(await copyFrom(daemon, "wrong", stranger)).toContain("lacks a valid signature");
    expect(await substitute(daemon, "wrong-too", stranger)).toBe(false);
    expect(await copyFrom(daemon, "right", key)).toBe("copied");
    expect(await substitute(daemon, "right-too", key)).toBe(true);
  });

  it("are made by the daemon with --signing-key, of paths that have none", async () => {
    const daemon = await start("--signing-key", key.secretFile);
    expect(await copyTo(daemon)).toBe("copied");
    expect(await copyFrom(daemon, "signed", key)).toBe("copied");
    expect(await copyFrom(daemon, "signed-wrong", stranger)).toContain("lacks a valid signature");
    const config = { "trusted-public-keys": key.publicKey };
    const verify = ["store", "verify", "-r", "--store", daemon.url, sample.app];
    await rig.text("nix", verify, { config });
  });

  it("are added by nix store sign --store, once", async () => {
    const daemon = await start();
    expect(await copyTo(daemon)).toBe("copied");
    const sign = ["store", "sign", "--store", daemon.url, "-r", sample.app];
    for (const { secretFile } of [key, stranger, key]) {
      await rig.text("nix", [...sign, "--key-file", secretFile]);
    }
    const narinfo = await (
      await fetch(`${daemon.url}/${sample.libfoo.slice(11, 43)}.narinfo`)
    ).text();
    expect(narinfo.match(/^Sig: .*$/gm)?.map((line) => line.split(":")[1]?.trim())).toEqual([
      "cache.example.org-1",
      "stranger.example.org-1",
    ]);
    expect(await copyFrom(daemon, "by-one", key)).toBe("copied");
    expect(await copyFrom(daemon, "by-other", stranger)).toBe("copied");
  });

  it("are all kept when several sign at the same time", async () => {
    const daemon = await start();
    expect(await copyTo(daemon)).toBe("copied");
    const names = ["a", "b", "c", "d", "e"].map((letter) => `${letter}.example.org-1`);
    const keys = await Promise.all(names.map((name) => rig.key(name)));
    const sign = ["store", "sign", "--store", daemon.url, sample.libfoo];
    await Promise.all(
      keys.map(({ secretFile }) => rig.text("nix", [...sign, "--key-file", secretFile])),
    );
    const url = `${daemon.url}/${sample.libfoo.slice(11, 43)}.narinfo`;
    const narinfo = await (await fetch(url)).text();
    const signers = narinfo.match(/^Sig: .*$/gm)?.map((line) => line.split(":")[1]?.trim());
    expect(signers?.sort()).toEqual(names);
  });

  it("are made with other keys after SIGHUP, if these can be used", async () => {
    const live = rig.path("live.secret");
    await copyFile(key.secretFile, live);
    const daemon = await start("--signing-key", live);
    expect(await copyTo(daemon)).toBe("copied");
    expect(await copyFrom(daemon, "first-key", key)).toBe("copied");
    await copyFile(stranger.secretFile, live);
    await reload(daemon);
    expect(daemon.log()).toContain('"signingKeys":["stranger.example.org-1"]');
    expect(await copyFrom(daemon, "next-key", stranger)).toBe("copied");
    expect(await copyFrom(daemon, "old-key", key)).toContain("lacks a valid signature");
    await writeFile(live, "stranger.example.org-1:c2hvcnQ=");
    await reload(daemon, "not reloaded");
    expect(daemon.log()).toMatch(/live\.secret: /);
    expect(daemon.log()).not.toContain("c2hvcnQ=");
    expect(await copyFrom(daemon, "kept-key", stranger)).toBe("copied");
  });

  it("are needed by a daemon that trusts keys, but for what proves itself", async () => {
    const daemon = await start("--cache-trusted-keys", key.publicKey);
    const [unsigned, strange] = [await copyTo(daemon), await copyTo(daemon, stranger.secretFile)];
    for (const refused of [unsigned, strange]) {
      expect(refused).toMatch(/HTTP error 403/);
      expect(refused).toContain("has no signature by a key that is trusted here");
    }
    const infos = await Promise.all(
      sample.all.map(async (path) => {
        const { status } = await fetch(`${daemon.url}/${path.slice(11, 43)}.narinfo`);
        return status === 200;
      }),
    );
    const published = sample.all.filter((_, i) => infos[i]);
    expect(published).not.toContain(sample.libfoo);
    expect(published).not.toContain(sample.app);
    expect(await copyTo(daemon, key.secretFile)).toBe("copied");
    expect(await copyFrom(daemon, "trusted", key)).toBe("copied");
  });
});
