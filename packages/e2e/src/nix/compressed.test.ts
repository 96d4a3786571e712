import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nixMissing } from "../cli/nix.js";
import { runProgram } from "../daemon/run.js";
import { startDaemon } from "../daemon/start-daemon.js";
import { NixRig } from "./nix-rig.js";
import { makeSampleClosure, type SampleClosure } from "./sample-closure.js";

/** What a narinfo says about the file that it leads to. */
interface DescribedFile {
  readonly url: string;
  readonly compression: string;
  readonly fileHash: string;
  readonly fileSize: number;
}

describe.skipIf(nixMissing !== undefined)("the real Nix takes compressed NARs", () => {
  let rig: NixRig;
  let sample: SampleClosure;
  let dumps: readonly string[];

  beforeAll(async () => {
    rig = await NixRig.create();
    sample = await makeSampleClosure(rig);
    dumps = await Promise.all(sample.all.map((path) => sample.store.dumpHash(path)));
  });

  afterAll(async () => {
    await rig?.[Symbol.asyncDispose]();
  });

  async function describeFile(cache: string, path: string): Promise<DescribedFile> {
    const response = await fetch(
      `${cache}/${path.slice("/nix/store/".length).slice(0, 32)}.narinfo`,
    );
    expect(response.status).toBe(200);
    const fields = new Map(
      (await response.text()).split("\n").map((line) => line.split(": ", 2) as [string, string]),
    );
    const field = (name: string): string => fields.get(name) ?? "";
    return {
      url: `${cache}/${field("URL")}`,
      compression: field("Compression"),
      fileHash: field("FileHash"),
      fileSize: Number(field("FileSize")),
    };
  }

  /** Downloads a file with curl, and holds it against what is said of it. */
  async function download(file: DescribedFile): Promise<Buffer> {
    const { status, stdout } = await runProgram("curl", ["-sSf", file.url], {});
    expect(status).toBe(0);
    expect(stdout.byteLength).toBe(file.fileSize);
    const name = rig.path(`downloaded-${createHash("sha256").update(file.url).digest("hex")}`);
    await writeFile(name, stdout);
    const hash = await rig.text("nix-hash", [...["--flat", "--base32", "--type", "sha256", name]]);
    expect(`sha256:${hash}`).toBe(file.fileHash);
    return stdout;
  }

  it.each([
    ["zstd", ".nar.zst"],
    ["xz", ".nar.xz"],
  ])("with %s, whose hash and size are true", async (compression, suffix) => {
    await using daemon = await startDaemon({ args: ["--cache-compression", compression] });
    await sample.store.text("nix", ["copy", "--to", `${daemon.url}?compression=none`, sample.app]);
    const taken = rig.store(`taken-${compression}`);
    await taken.text("nix", ["copy", "--from", daemon.url, sample.app]);
    expect(await Promise.all(sample.all.map((path) => taken.dumpHash(path)))).toEqual(dumps);
    const substituted = rig.store(`substituted-${compression}`);
    const config = { substituters: daemon.url };
    await substituted.text("nix-store", ["--realise", sample.app], { config });
    expect(await substituted.closure(sample.app)).toEqual(sample.all);
    for (const path of sample.all) {
      const file = await describeFile(daemon.url, path);
      expect(file).toMatchObject({ compression, url: expect.stringMatching(`${suffix}$`) });
      const whole = await download(file);
      const head = await fetch(file.url, { method: "HEAD" });
      expect(head.headers.get("content-length")).toBe(String(file.fileSize));
      const part = await fetch(file.url, { headers: { range: "bytes=7-" } });
      expect(part.status).toBe(206);
      expect(whole.subarray(7).equals(Buffer.from(await part.arrayBuffer()))).toBe(true);
    }
    expect(daemon.log()).not.toMatch(/"level":"(?:error|warn)"/);
  });

  it("as it has uploaded them, where that is what is served", async () => {
    await using daemon = await startDaemon({ args: ["--cache-compression", "xz"] });
    // xz is what Nix does where it is told nothing.
    await sample.store.text("nix", ["copy", "--to", daemon.url, sample.textA]);
    const file = await describeFile(daemon.url, sample.textA);
    expect(file.compression).toBe("xz");
    const directory = rig.path("file-cache");
    await sample.store.text("nix", ["copy", "--to", `file://${directory}`, sample.textA]);
    const hash = sample.textA.slice("/nix/store/".length).slice(0, 32);
    const narinfo = await readFile(`${directory}/${hash}.narinfo`, "utf8");
    expect(narinfo).toContain(`FileHash: ${file.fileHash}\n`);
    const written = await readFile(`${directory}/nar/${file.fileHash.replace(/^.*:/, "")}.nar.xz`);
    expect((await download(file)).equals(written)).toBe(true);
  });

  it("for as long as anybody may remember the narinfo, whatever is set later", async () => {
    const dataDirectory = rig.path("data");
    await mkdir(dataDirectory);
    const hash = sample.src.slice("/nix/store/".length);
    let file: DescribedFile;
    {
      const args = ["--cache-compression", "zstd"];
      await using daemon = await startDaemon({ dataDirectory, args });
      const url = `${daemon.url}?compression=none`;
      await sample.store.text("nix", ["copy", "--to", url, sample.src]);
      file = await describeFile(daemon.url, sample.src);
      await daemon.stop();
    }
    for (const setting of ["none", "gzip", "zstd"]) {
      const args = ["--cache-compression", setting];
      await using daemon = await startDaemon({ dataDirectory, args });
      const url = new URL(new URL(file.url).pathname, daemon.url).href;
      await download({ ...file, url });
      const now = await describeFile(daemon.url, sample.src);
      expect(now.compression).toBe(setting);
      if (setting === "zstd") expect(now.fileHash).toBe(file.fileHash);
      await rig.text("nix", ["path-info", "--store", daemon.url, `/nix/store/${hash}`]);
      await daemon.stop();
    }
  });
});
