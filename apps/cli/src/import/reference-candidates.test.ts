import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SymlinkTarget, symlinkNode } from "@tvix/castore";
import { MemoryPathInfoService, PathInfo, StorePath } from "@tvix/store";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CliError, NotFoundError, UsageError } from "../exit.js";
import { ReferenceCandidates } from "./reference-candidates.js";

const ONE = "/nix/store/11111111111111111111111111111111-one";
const TWO = "/nix/store/22222222222222222222222222222222-two";

let directory = "";

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "tvix-candidates-"));
});

afterAll(async () => {
  await rm(directory, { recursive: true });
});

async function list(name: string, content: string | Uint8Array): Promise<string> {
  const file = join(directory, name);
  await writeFile(file, content);
  return file;
}

async function read(option: string | undefined): Promise<readonly string[]> {
  return (await ReferenceCandidates.read(option)).paths.map(String);
}

describe("ReferenceCandidates.read()", () => {
  it("knows none where nothing is asked for", async () => {
    expect(await read(undefined)).toEqual([]);
  });

  it("takes paths, whole and as base names, with commas between them", async () => {
    expect(await read(`${ONE},${TWO.slice("/nix/store/".length)}`)).toEqual([ONE, TWO]);
  });

  it("reads lists, in which spaces and empty lines do not count", async () => {
    const file = await list("paths", `\n  ${ONE}\r\n\n${TWO.slice("/nix/store/".length)}`);
    expect(await read(`${file},${TWO}`)).toEqual([ONE, TWO, TWO]);
    expect(await read(await list("empty", ""))).toEqual([]);
  });

  it.each([
    "/nix/store/x",
    "/nix/store/",
    `${ONE}!`,
    "11111111111111111111111111111111-",
    "",
    `${ONE},`,
  ])("refuses %j as a mistake in the command line", async (option) => {
    await expect(read(option)).rejects.toThrow(UsageError);
  });

  it.each([
    ["a line that is no path", `${ONE}\nnonsense\n`, /from ".*": line 2 is no store path: "nonsen/],
    ["what lies inside of a path", `${ONE}/bin/x\n`, /line 1 is no store path/],
    ["a path of another store", "/gnu/store/x\n", /line 1 is no store path/],
    ["bytes that are no text", Uint8Array.of(0xff, 0, 0x1b, 10), /line 1.*"\ufffd\\u0000\\u001b"/],
    ["a line without an end", "x".repeat(100_000), /is no store path: "x{300}"/],
  ])("refuses a list with %s", async (_, content, message) => {
    const file = await list("bad", content);
    const failure = read(file);
    await expect(failure).rejects.toThrow(CliError);
    await expect(failure).rejects.toThrow(message);
  });

  it("does not find a list that is not there, such as one inside of a path", async () => {
    for (const word of [join(directory, "nosuch"), `${ONE}/store-paths`, "./store"]) {
      await expect(read(word)).rejects.toThrow(NotFoundError);
    }
  });
});

describe("ReferenceCandidates.addStore()", () => {
  const pathInfos = new MemoryPathInfoService();
  const options = { signal: new AbortController().signal };

  beforeAll(async () => {
    const node = symlinkNode(SymlinkTarget.parse("anywhere"));
    const fields = { node, narSize: 1n, narSha256: new Uint8Array(32) };
    await pathInfos.put(PathInfo.of({ ...fields, storePath: StorePath.parseAbsolute(ONE) }));
  });

  it("adds what the store has, and gets, where the whole store was asked for", async () => {
    const candidates = await ReferenceCandidates.read("store");
    expect(candidates.paths).toEqual([]);
    await candidates.addStore({ pathInfos }, options);
    expect(candidates.paths.map(String)).toEqual([ONE]);
    candidates.addStored(StorePath.parseAbsolute(TWO));
    expect(candidates.paths.map(String)).toEqual([ONE, TWO]);
  });

  it("adds nothing where it was not", async () => {
    const candidates = await ReferenceCandidates.read(TWO);
    await candidates.addStore({ pathInfos }, options);
    candidates.addStored(StorePath.parseAbsolute(ONE));
    expect(candidates.paths.map(String)).toEqual([TWO]);
  });
});
