import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkExportTargets } from "./export-targets.js";
import type { Manifest } from "./workspace.js";

describe("checkExportTargets()", () => {
  let root = "";

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "tvix-exports-"));
    await mkdir(join(root, "p/dist"), { recursive: true });
    await writeFile(join(root, "p/dist/index.js"), "");
    await writeFile(join(root, "p/dist/index.d.ts"), "");
  });

  afterEach(async () => {
    await rm(root, { recursive: true });
  });

  async function check(fields: Partial<Manifest>): Promise<string[]> {
    const item = { name: "p", directory: "p", manifest: { name: "p", ...fields } };
    return (await checkExportTargets(root, item)).map((finding) => finding.what);
  }

  const good = { types: "./dist/index.d.ts", default: "./dist/index.js" };

  it("accepts a manifest whose targets exist", async () => {
    const imports = { "#x": { node: good, default: good } };
    expect(await check({ exports: { ".": good }, imports, files: ["dist"] })).toEqual([]);
  });

  it.each<[string, Partial<Manifest>, string]>([
    [
      "an export",
      { exports: { "./e": { ...good, default: "./dist/e.js" } } },
      "./e leads to ./dist/e.js",
    ],
    [
      "its types",
      { exports: { "./e": { ...good, types: "./dist/e.d.ts" } } },
      "./e leads to ./dist/e.d.ts",
    ],
    [
      "a nested import",
      { imports: { "#x": { node: { default: "./x.js" } } } },
      "#x leads to ./x.js",
    ],
    ["an executable", { bin: { tool: "bin/tool" } }, "tool leads to bin/tool"],
    ["a packed file", { files: ["dist", "README.md"] }, "files leads to README.md"],
  ])("reports %s that does not exist", async (_, fields, what) => {
    expect(await check(fields)).toEqual([expect.stringContaining(what)]);
  });

  it("reports types that come after another condition", async () => {
    const exports = { ".": { default: "./dist/index.js", types: "./dist/index.d.ts" } };
    expect(await check({ exports })).toEqual(['.: "types" is not the first condition']);
  });

  it("reports patterns", async () => {
    expect(await check({ exports: { "./*": "./dist/index.js" } })).toEqual([
      "exports the pattern ./*",
    ]);
  });
});
