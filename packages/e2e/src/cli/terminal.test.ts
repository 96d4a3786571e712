import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { noise } from "./trees.js";
import { Sandbox, TVIX } from "./tvix.js";

/** `script` of util-linux runs a command on a terminal of its own. */
const hasScript = spawnSync("script", ["--version"]).stdout?.includes("util-linux") ?? false;

let sandbox: Sandbox;

beforeAll(async () => {
  sandbox = await Sandbox.create();
  mkdirSync(sandbox.path("tree"));
  for (let i = 0; i < 4000; i++) writeFileSync(sandbox.path("tree", `f${i}`), noise(8000, i + 1));
});

afterAll(async () => {
  await sandbox.remove();
});

function onTerminal(command: string, term = "xterm") {
  const { status, stdout } = spawnSync(
    "script",
    ["--quiet", "--return", "--command", `${TVIX} ${command}`, "/dev/null"],
    { cwd: sandbox.directory, env: { ...sandbox.env, TERM: term }, encoding: "utf8" },
  );
  // Readable: the escape character as a name.
  return { status, output: stdout.replaceAll("\x1b", "<ESC>") };
}

describe.skipIf(!hasScript)("tvix on a terminal", () => {
  it("draws progress on one line and removes it", () => {
    const { status, output } = onTerminal("import tree");
    expect(status).toBe(0);
    expect(output).toMatch(/\r<ESC>\[K[\d,]+ files, /);
    expect(output.split("<ESC>[K").at(-1)).toMatch(
      /^\/nix\/store\/[0-9a-z]{32}-tree\r\nimported 4,001 entries, [^\r\n]*\r\n$/,
    );
  });

  it.each([
    ["--quiet", "xterm"],
    ["", "dumb"],
  ])("draws none with %j on %s", (option, term) => {
    const { status, output } = onTerminal(`import ${option} --name other tree`, term);
    expect(status).toBe(0);
    expect(output).not.toContain("<ESC>");
  });

  it("refuses to write a NAR to it", () => {
    const { status, output } = onTerminal("nar dump tree");
    expect(status).toBe(2);
    expect(output).toMatch(/a NAR is binary/);
  });

  it("draws the progress of a check", () => {
    const { status, output } = onTerminal("check");
    expect(status).toBe(0);
    expect(output).toMatch(/checked [\d,]+ of [\d,]+ objects/);
    expect(output).toMatch(/all sound\r\n$/);
  });
});
