import { describe, expect, it } from "vitest";
import { UsageError } from "./exit.js";
import { BrokenPipeError, Output } from "./io/output.js";
import { run } from "./run.js";
import { COMMANDS } from "./table.js";
import { fakeHost } from "./testing/fake-host.js";
import { version } from "./version.js";

async function runLine(line: string) {
  const { host, written } = fakeHost();
  const words = line === "" ? [] : line.split(" ");
  return { status: await run(() => words, host), ...written };
}

describe("run()", () => {
  it.each(["--version", "-V", "ls --version"])("prints the version for %j", async (line) => {
    expect(await runLine(line)).toEqual({ status: 0, stdout: `tvix ${version()}\n`, stderr: "" });
  });

  it.each(["--help", "-h", "help", "--quiet --help"])(
    "explains the program for %j",
    async (line) => {
      const { status, stdout, stderr } = await runLine(line);
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      for (const { name } of COMMANDS) expect(stdout).toContain(`  ${name} `);
    },
  );

  it.each(COMMANDS.flatMap(({ name }) => [`${name} --help`, `help ${name}`, `--help ${name}`]))(
    "explains a command for %j",
    async (line) => {
      const { status, stdout, stderr } = await runLine(line);
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      expect(stdout).toMatch(/\nUsage:\n {2}tvix /);
      expect(stdout).toMatch(/\nExamples?:\n {2}\S/);
    },
  );

  it.each([
    ["", "tvix: no command: see tvix --help\n"],
    ["imprt x", 'tvix: unknown command "imprt": did you mean "import"?\n'],
    ["import", "tvix: import needs PATH...: see tvix import --help\n"],
    ["import --jsno x", "tvix: unknown option --jsno: did you mean --json?\n"],
    ["--jsno", "tvix: unknown option --jsno: see --help\n"],
    ["completion tcsh", 'tvix: unknown shell "tcsh": there is bash, zsh, fish\n'],
    ["check x", 'tvix: check takes no arguments, but there is "x"\n'],
  ])("refuses %j", async (line, stderr) => {
    expect(await runLine(line)).toEqual({ status: 2, stdout: "", stderr });
  });

  it("reports words that cannot be read", async () => {
    const { host, written } = fakeHost();
    const fail = () => {
      throw new UsageError("not UTF-8");
    };
    expect(await run(fail, host)).toBe(2);
    expect(written.stderr).toBe("tvix: not UTF-8\n");
  });

  it("shows the stack for TVIX_DEBUG=1", async () => {
    const { host, written } = fakeHost({ env: { TVIX_DEBUG: "1" } });
    await run(() => ["nosuch"], host);
    expect(written.stderr).toMatch(/^tvix: unknown command.*\nUsageError: .*\n {4}at /);
  });

  it("is quiet when nobody reads", async () => {
    const { host, written } = fakeHost();
    const stdout = new Output({ write: () => Promise.reject(new BrokenPipeError("gone")) });
    expect(await run(() => ["--help"], { ...host, stdout })).toBe(0);
    expect(written.stderr).toBe("");
  });
});
