import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { completionScript } from "./scripts.js";

/** What bash offers behind these words, the last of which is incomplete. */
async function complete(...words: string[]): Promise<string[]> {
  const script = `${await completionScript("bash")}
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_tvix
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync("bash", ["-c", script, "bash", "tvix", ...words], {
    encoding: "utf8",
    cwd: import.meta.dirname,
  });
  expect(stderr).toBe("");
  return stdout.split("\n").filter((line) => line !== "");
}

const hasBash = spawnSync("bash", ["--version"]).status === 0;

describe.skipIf(!hasBash)("completionScript() for bash", () => {
  it.each([
    ["commands", ["i"], ["import", "info"]],
    ["a command of two words, its first", ["na"], ["nar", "narinfo"]],
    ["a command of two words, its second", ["nar", ""], ["dump", "import", "ls", "hash"]],
    ["long options", ["import", "--n"], ["--name", "--no-compression"]],
    ["global options behind a command", ["ls", "--da"], ["--data-dir"]],
    ["global options before it", ["--da"], ["--data-dir"]],
    ["a file behind an option", ["--token-file", "bas"], ["bash.ts"]],
    ["options of a command of two words", ["nar", "dump", "--q"], ["--quiet"]],
    ["files", ["import", "bas"], ["bash.ts"]],
    ["files behind an option", ["import", "--json", "fis"], ["fish.ts"]],
    ["a command behind a global option", ["--data-dir", "/d", "chec"], ["check"]],
    ["names of shells", ["completion", ""], ["bash", "zsh", "fish"]],
    [
      "words behind an option",
      ["import", "--directory-size-rule", "do"],
      ["documented", "doubled"],
    ],
    ["nothing for free text", ["import", "--name", ""], []],
    ["nothing where nothing is known", ["ls", ""], []],
  ])("offers %s", async (_, words, expected) => {
    expect(await complete(...words)).toEqual(expected);
  });
});

const hasFish = spawnSync("fish", ["--version"]).status === 0;

describe.skipIf(!hasFish)("completionScript() for fish", () => {
  it.each([
    ["commands", "tvix i", ["import", "info"]],
    ["a command of two words", "tvix nar ", ["dump", "hash", "import", "ls"]],
    ["long options", "tvix import --n", ["--name", "--no-compression"]],
    ["options of a command of two words", "tvix nar dump --q", ["--quiet"]],
    ["words behind an option", "tvix import --directory-size-rule dou", ["doubled"]],
    ["files", "tvix import bas", ["bash.ts"]],
    ["names of shells", "tvix completion ", ["bash", "fish", "zsh"]],
  ])("offers %s", async (_, line, expected) => {
    const script = `${await completionScript("fish")}\ncomplete -C ${JSON.stringify(line)}`;
    const { stdout, stderr } = spawnSync("fish", ["--no-config", "-c", script], {
      encoding: "utf8",
      cwd: import.meta.dirname,
    });
    expect(stderr).toBe("");
    const offered = stdout.split("\n").filter((text) => text !== "");
    expect(offered.map((text) => text.split("\t")[0])).toEqual(expected);
  });
});

describe.each(["zsh", "fish", "bash"] as const)("completionScript() for %s", (shell) => {
  const isInstalled = spawnSync(shell, ["--version"]).status === 0;

  it.skipIf(!isInstalled)("has no syntax error", async () => {
    const directory = await mkdtemp(join(tmpdir(), "tvix-completion-"));
    try {
      const file = join(directory, "script");
      await writeFile(file, await completionScript(shell));
      const { status, stderr } = spawnSync(shell, ["-n", file], { encoding: "utf8" });
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it("knows every command", async () => {
    const script = await completionScript(shell);
    for (const name of ["import", "ls", "tree", "cat", "info", "dump", "check", "completion"]) {
      expect(script).toMatch(new RegExp(`\\b${name}\\b`));
    }
  });
});
