import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { removeTree } from "../cli/remove-tree.js";
import { TVIX } from "../cli/tvix.js";
import { runProgram } from "./run.js";

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "tvix-e2e-settings-"));
});

afterAll(async () => {
  await removeTree(directory);
});

async function write(name: string, text: string): Promise<string> {
  const file = join(directory, name);
  await writeFile(file, text);
  return file;
}

async function tvixDaemon(args: readonly string[], env: Record<string, string> = {}) {
  const outcome = await runProgram(TVIX, ["daemon", ...args], {
    env: { TVIX_DATA_DIR: join(directory, "data"), ...env },
  });
  return { ...outcome, stdout: outcome.stdout.toString() };
}

describe("tvix daemon --print-config", () => {
  it("prints what counts, and where it comes from", async () => {
    const file = await write("all.toml", "metrics = false\n[limit]\nstreams = 1\ncalls = 1\n");
    const { status, stdout, stderr } = await tvixDaemon(
      ["--print-config", "--config", file, "--limit-calls", "3", "--no-list"],
      { TVIX_LIMIT_STREAMS: "2" },
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const lines = stdout.split("\n");
    expect(lines).toEqual(
      expect.arrayContaining([
        `data-dir = "${join(directory, "data")}" # TVIX_DATA_DIR`,
        'listen = [ "127.0.0.1:8000" ] # default',
        "list = false # --no-list",
        `metrics = false # ${file}:1`,
        "streams = 2 # TVIX_LIMIT_STREAMS",
        "calls = 3 # --limit-calls",
      ]),
    );
  });

  it("prints a file that gives the same", async () => {
    const first = await tvixDaemon([
      "--print-config",
      "--listen",
      "none",
      "--shutdown-grace",
      "5m",
    ]);
    const file = await write("printed.toml", first.stdout);
    const second = await tvixDaemon(["--print-config"], { TVIX_CONFIG: file });
    const values = (text: string) => text.replaceAll(/ # .*/g, "");
    expect(values(second.stdout)).toBe(values(first.stdout));
    expect(second.stdout).toContain(`listen = [ "none" ] # ${file}:4`);
  });

  it("shows no token", async () => {
    const tokens = await write("tokens", "ci write a-token-that-is-secret\n");
    const { stdout } = await tvixDaemon(["--print-config", "--tokens", tokens]);
    expect(stdout).toContain(`tokens = "${tokens}" # --tokens`);
    expect(stdout).not.toContain("a-token-that-is-secret");
  });
});

describe("a configuration that is wrong", () => {
  it.each([
    [
      "an unknown option",
      ["--limit-stream", "1"],
      "tvix: unknown option --limit-stream: did you mean --limit-streams?\n",
    ],
    [
      "a value that is none",
      ["--log-level", "loud"],
      'tvix: cannot use the configuration: --log-level must be "debug", "info", "warn", "error" or "off", but it is "loud"\n',
    ],
    [
      "an origin that is none",
      ["--cors-origin", "https://a.example", "--cors-origin", "a.example"],
      'tvix: cannot use the configuration: --cors-origin must be origins, such as "https://example.org" or "http://localhost:5173", without a path, or "none" alone, but it is ["https://a.example","a.example"]\n',
    ],
    ["an argument", ["x"], 'tvix: daemon takes no arguments, but there is "x"\n'],
    [
      "a directory as a store",
      ["--store", "local:///d"],
      "tvix: cannot use the configuration: --store: a directory is served by data-dir\n",
    ],
    ...["blob", "directory", "path-info"].map((kind): [string, string[], string] => [
      `the address of a ${kind} service alone`,
      [`--${kind}-service-addr`, "memory:"],
      `tvix: daemon takes no --${kind}-service-addr: name each service in a file for --composition\n`,
    ]),
    [
      "a token of a client",
      ["--token-file", "token"],
      "tvix: daemon takes no --token-file: tokens of clients are in --tokens, and that for another server is in --store ADDR?token_file=FILE\n",
    ],
  ])("is refused with status 2: %s", async (_, args, stderr) => {
    expect(await tvixDaemon(args)).toMatchObject({ status: 2, stdout: "", stderr });
  });

  it("is told by file, line, key and rule", async () => {
    const file = await write("wrong.toml", '# mine\nlisten = "8000"\n[tls]\ncertt = "c"\n');
    const { status, stderr } = await tvixDaemon(["--config", file]);
    expect(status).toBe(2);
    expect(stderr).toBe(
      `tvix: cannot use the configuration: ${file}:2: listen must be addresses HOST:PORT, such as "127.0.0.1:8000" or "[::1]:8000", or "none" alone, but it is "8000"; ${file}:4: tls.certt is not a key: did you mean tls.cert?\n`,
    );
  });

  it.each([["--tokens"], ["--tls-cert", "--tls-key"], ["--config"]])(
    "names the file of %s that is not there",
    async (...options) => {
      const absent = join(directory, "absent");
      const { status, stderr } = await tvixDaemon([
        ...options.flatMap((option) => [option, absent]),
        ...["--listen", "none"],
      ]);
      expect(status).toBe(2);
      expect(stderr).toContain(`${absent} cannot be read: there is no such file`);
    },
  );
});
