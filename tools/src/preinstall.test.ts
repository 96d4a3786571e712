import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runProgram } from "./run-program.js";
import { REPOSITORY_ROOT } from "./workspace.js";

describe("preinstall.mjs", () => {
  let folder = "";

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tvix-preinstall-"));
  });

  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  async function runWith(...programs: readonly string[]): Promise<string> {
    for (const program of programs) {
      await writeFile(join(folder, program), "");
      await chmod(join(folder, program), 0o755);
    }
    const script = join(REPOSITORY_ROOT, "tools/preinstall.mjs");
    const options = { cwd: folder, env: { PATH: folder } };
    const { exitCode, output } = await runProgram(process.execPath, [script], options);
    expect(exitCode).toBe(0);
    return output;
  }

  it("says nothing when addons can be compiled", async () => {
    expect(await runWith("python3", "make", "g++")).toBe("");
  });

  it("names what is missing and how to get it", async () => {
    const output = await runWith("make");
    expect(output).toContain("Not found: python3, a C++ compiler.");
    expect(output).toContain("apt-get install python3 make g++");
  });
});
