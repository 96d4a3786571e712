import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkGenerated } from "./generated-current.js";
import { runProgram } from "./run-program.js";
import type { WorkspacePackage } from "./workspace.js";

describe("checkGenerated()", () => {
  let root = "";

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "tvix-generated-"));
    await mkdir(join(root, "p/src/gen"), { recursive: true });
    await mkdir(join(root, "p/node_modules"));
    await writeFile(join(root, ".gitignore"), "node_modules\n");
    await writeFile(join(root, "p/schema"), "one\n");
    await writeFile(join(root, "p/src/gen/a"), "one\n");
    await runProgram("git", ["init", "--quiet"], { cwd: root });
  });

  afterEach(async () => {
    await rm(root, { recursive: true });
  });

  async function check(generate: string): Promise<string[]> {
    const item: WorkspacePackage = {
      name: "p",
      directory: "p",
      manifest: { name: "p", scripts: { generate } },
    };
    return (await checkGenerated(root, [item])).map(({ where, what }) => `${where} ${what}`);
  }

  it("accepts generated files that are current", async () => {
    expect(await check("cp schema src/gen/a")).toEqual([]);
  });

  it("reports a file that is not current and leaves the work tree alone", async () => {
    await writeFile(join(root, "p/schema"), "two\n");
    expect(await check("cp schema src/gen/a")).toEqual(["p/src/gen/a is not current"]);
    expect(await readFile(join(root, "p/src/gen/a"), "utf8")).toBe("one\n");
  });

  it("reports a file that is missing", async () => {
    expect(await check("cp schema src/gen/b")).toEqual(["p/src/gen/b is not committed"]);
  });

  it("reports a file that was deleted from the work tree", async () => {
    await runProgram("git", ["add", "."], { cwd: root });
    await rm(join(root, "p/src/gen/a"));
    expect(await check("mkdir src src/gen; cp schema src/gen/a")).toEqual([
      "p/src/gen/a is not committed",
    ]);
  });

  it("reports a file that nothing generates any more", async () => {
    expect(await check("rm src/gen/a")).toEqual(["p/src/gen/a is no longer generated"]);
  });

  it("reports a generator that fails, with its output", async () => {
    const [finding] = await check("echo no compiler; exit 3");
    expect(finding).toContain("fails with exit code 3: no compiler");
  });
});
