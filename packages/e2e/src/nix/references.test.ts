import { mkdir, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nixMissing } from "../cli/nix.js";
import { Sandbox } from "../cli/tvix.js";
import { type Daemon, startDaemon } from "../daemon/start-daemon.js";
import { exportStream } from "./export-stream.js";
import { NixRig } from "./nix-rig.js";
import { makeSampleClosure, type SampleClosure } from "./sample-closure.js";

interface Imported {
  readonly storePath: string;
  readonly references: readonly string[];
  readonly filesRead: number;
}

describe.skipIf(nixMissing !== undefined)("references", () => {
  let rig: NixRig;
  let sample: SampleClosure;
  let sandbox: Sandbox;
  let daemon: Daemon;
  /** The content-addressed copies that Nix made of the closure, by their input-addressed originals. */
  let rewrites: Readonly<Record<string, string>>;
  /** A file with all of them. */
  let list: string;

  beforeAll(async () => {
    [rig, sandbox, daemon] = await Promise.all([NixRig.create(), Sandbox.create(), startDaemon()]);
    sample = await makeSampleClosure(rig);
    const { store, app } = sample;
    const made = await store.text("nix", ["store", "make-content-addressed", "--json", "-r", app]);
    ({ rewrites } = JSON.parse(made));
    list = rig.path("paths");
    await writeFile(list, `${Object.values(rewrites).join("\n")}\n`);
    const [a, b] = [rewritten(sample.textA), rewritten(sample.textB)].sort();
    await mkdir(sandbox.path("project"));
    // What is younger than two seconds when it is imported is read again: it is until then.
    await writeFile(sandbox.path("project", "file"), `${b} ${a}`);
    // Everything but the app itself.
    const needed = Object.values(rewrites).filter((path) => path !== rewrites[app]);
    const infos = rig.path("infos.json");
    await writeFile(infos, await store.text("nix", ["path-info", "--json", ...needed]));
    for (const target of [[], ["--store", `grpc+${daemon.url}`]]) {
      const root = ["--root", store.realPath("/").slice(0, -1)];
      await sandbox.text(["copy", "--path-info-json", infos, ...root, ...target]);
    }
  });

  afterAll(async () => {
    await daemon?.[Symbol.asyncDispose]();
    await sandbox?.remove();
    await rig?.[Symbol.asyncDispose]();
  });

  function rewritten(path: string): string {
    const made = rewrites[path];
    if (made === undefined) throw new Error(`${path} was not rewritten`);
    return made;
  }

  async function importJson(...args: readonly string[]): Promise<Imported> {
    return JSON.parse(await sandbox.text(["import", "--json", ...args])) as Imported;
  }

  const ways: readonly (readonly [string, () => readonly string[]])[] = [
    ["in the own process, from a list", () => ["--references-from", list]],
    [
      "through a daemon, from its store and one more path",
      () => [
        ...["--references-from", "store", "--references-from", rewritten(sample.app)],
        ...["--store", `grpc+${daemon.url}`],
      ],
    ],
  ];

  it.each(ways)(
    "gives a tree what nix store make-content-addressed gives it, %s",
    async (_, args) => {
      for (const path of [sample.textB, sample.libfoo, sample.app]) {
        const made = rewritten(path);
        const name = made.slice("/nix/store/".length + 33);
        const { references } = await sample.store.info(made);
        const common = [...args(), "--name", name, sample.store.realPath(made)];
        for (const dry of path === sample.app ? [["--dry-run"], []] : [[]]) {
          const imported = await importJson(...dry, ...common);
          expect(imported.storePath).toBe(made);
          expect(imported.references).toEqual([...references].sort());
        }
      }
    },
  );

  it("makes paths that Nix takes, with what they refer to", async () => {
    const made = rewritten(sample.app);
    const copy = rig.store("copy");
    await copy.text("nix", ["copy", "--from", daemon.url, made]);
    await copy.text("nix", ["store", "verify", "--no-trust", "-r", made]);
    expect(await copy.closure(made)).toEqual(await sample.store.closure(made));
    const [there, here] = [await copy.info(made), await sample.store.info(made)];
    expect([there.ca, there.narHash]).toEqual([here.ca, here.narHash]);
  });

  it("gives a tree by another name what builtins.path gives it", async () => {
    const made = rewritten(sample.libfoo);
    const expression = `builtins.path { path = "${made}"; name = "other"; }`;
    const args = ["--eval", "--json", "--read-write-mode", "-E", expression];
    const expected = JSON.parse(await sample.store.text("nix-instantiate", args));
    const { references } = await sample.store.info(expected);
    // It refers to the path that it was copied from.
    expect(references).toContain(made);
    const tree = sample.store.realPath(made);
    const imported = await importJson("--references-from", list, "--name", "other", tree);
    expect([imported.storePath, imported.references]).toEqual([expected, [...references].sort()]);
  });

  it("takes the same from a NAR", async () => {
    const made = rewritten(sample.app);
    const nar = rig.path("app.nar");
    await writeFile(nar, await rig.output("nix-store", ["--dump", sample.store.realPath(made)]));
    const store = ["--store", `grpc+${daemon.url}`];
    const args = ["nar", "import", "--name", made.slice("/nix/store/".length + 33), "--json"];
    const from = ["--references-from", list];
    const { storePath, references } = JSON.parse(
      await sandbox.text([...args, ...from, ...store, nar]),
    );
    expect(storePath).toBe(made);
    expect(references).toEqual([...(await sample.store.info(made)).references].sort());
  });

  it("says what it found, also in a tree that it need not read again", async () => {
    const tree = sandbox.path("project");
    const [a, b] = [rewritten(sample.textA), rewritten(sample.textB)].sort();
    await importJson(tree);
    const { stdout, stderr } = await sandbox.run([
      ...["import", "--references-from", `${a},${b},${rewritten(sample.fixed)}`, tree],
    ]);
    expect(stdout.toString()).toMatch(/^\/nix\/store\/[0-9a-z]{32}-project\n$/);
    expect(stderr).toContain(`refers to ${a}\nrefers to ${b}\n`);
    expect(stderr.match(/refers to/g)).toHaveLength(2);
    const again = await importJson("--references-from", list, tree);
    expect(again).toMatchObject({ references: [a, b], filesRead: 0 });
    expect(`${again.storePath}\n`).toBe(stdout.toString());
  });

  it("refuses what refers to a path that the store does not have", async () => {
    const file = sandbox.path("lost");
    await writeFile(file, sample.libfoo);
    for (const dry of [[], ["--dry-run"]]) {
      const { status, stdout, stderr } = await sandbox.run([
        ...["import", "--references-from", sample.libfoo, ...dry, file],
      ]);
      expect([status, stdout.toString()]).toEqual([1, ""]);
      expect(stderr).toContain(`it refers to ${sample.libfoo}, which is not in the store`);
      expect(stderr).toContain("see tvix copy");
    }
  });

  it.each([
    ["/nix/store/nonsense", 2],
    ["no-such-file", 3],
    ["/dev/null/x", 3],
    ["/dev", 1],
  ])("refuses %s", async (where, expected) => {
    const { status } = await sandbox.run(["import", "--references-from", where, list]);
    expect(status).toBe(expected);
  });

  describe("tvix daemon --cache-scan-references", () => {
    /** A path that holds its own name, and says nothing of it. */
    let secretive: string;

    beforeAll(async () => {
      secretive = `/nix/store/${"1".repeat(32)}-secretive`;
      await writeFile(rig.path("secretive"), `I am ${secretive}`);
      const nar = await rig.output("nix-store", ["--dump", rig.path("secretive")]);
      const input = exportStream([{ nar, path: secretive, references: [], deriver: "" }]);
      await sample.store.text("nix-store", ["--import"], { input });
    });

    async function copyTo({ url }: Daemon, path: string): Promise<string> {
      const { status, stderr } = await sample.store.run("nix", ["copy", "--to", url, path]);
      return status === 0 ? "copied" : stderr;
    }

    it("refuses what differs, and takes all that Nix has built and made", async () => {
      await using daemon = await startDaemon({ args: ["--cache-scan-references", "refuse"] });
      const derivation = await sample.store.text("nix-store", ["--query", "--deriver", sample.app]);
      for (const path of [sample.app, derivation])
        expect(await copyTo(daemon, path)).toBe("copied");
      const refusal = await copyTo(daemon, secretive);
      expect(refusal).toContain("HTTP error 400");
      expect(refusal).toContain(`${secretive} refers to itself, which its narinfo does not say`);
    });

    it("warns of it, or says nothing", async () => {
      await using warning = await startDaemon({ args: ["--cache-scan-references", "warn"] });
      await using silent = await startDaemon();
      for (const daemon of [warning, silent]) {
        for (const path of [sample.app, secretive]) {
          expect(await copyTo(daemon, path)).toBe("copied");
        }
        await daemon.stop();
      }
      const lines = warning
        .log()
        .split("\n")
        .filter((line) => line.includes('"level":"warn"'));
      expect(lines).toEqual([expect.stringContaining(`${secretive} refers to itself`)]);
      expect(silent.log()).not.toContain('"level":"warn"');
    });
  });
});
