import { createHash } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ConfigError } from "../config/config-error.js";
import { readTokenFile } from "./token-file.js";

const SECRET = "correct-horse-battery";
const HASHED = createHash("sha256").update("another-secret-token").digest("hex");

let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "tvix-daemon-tokens-"));
  file = join(directory, "tokens");
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

function read(text: string) {
  writeFileSync(file, text, { mode: 0o600 });
  return readTokenFile(file);
}

function problemsOf(text: string): readonly string[] {
  try {
    read(text);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map((text) => text.replace(file, "F"));
    throw error;
  }
  return [];
}

describe("readTokenFile()", () => {
  it("takes tokens in the clear and by their hash, with comments and empty lines", () => {
    const { tokens, warnings } = read(
      `# tokens of the lab\n\nci\twrite  ${SECRET}\r\n  web read sha256:${HASHED.toUpperCase()}  \n`,
    );
    expect(tokens.size).toBe(2);
    expect(tokens.find(SECRET)).toMatchObject({ name: "ci", scope: "write" });
    expect(tokens.find("another-secret-token")).toMatchObject({ name: "web", scope: "read" });
    expect(tokens.find(`${SECRET}x`)).toBeUndefined();
    expect(tokens.find(HASHED)).toBeUndefined();
    expect(tokens.find("")).toBeUndefined();
    expect(warnings).toEqual([]);
  });

  it("finds each of many", () => {
    const names = Array.from({ length: 50 }, (_, i) => `token-number-${i}-${i}`);
    const { tokens } = read(names.map((name, i) => `n${i} read ${name}`).join("\n"));
    expect(names.map((name) => tokens.find(name)?.name)).toEqual(names.map((_, i) => `n${i}`));
  });

  it.each([
    ["a line of two words", "ci write", "F:1: a line is NAME SCOPE TOKEN"],
    ["a line of four words", `ci read ${SECRET} x`, "F:1: a line is NAME SCOPE TOKEN"],
    [
      "a name with other characters",
      `c/i read ${SECRET}`,
      "F:1: a name is 1 to 64 letters, digits, dots, hyphens and underscores",
    ],
    ["an unknown scope", `\nci admin ${SECRET}`, 'F:2: the scope must be "read" or "write"'],
    ["a short token", "ci read 0123456789abcde", "F:1: a token has 16 to 512 characters"],
    [
      "a token with other characters",
      "ci read 0123456789abcdef!",
      "F:1: a token has only letters, digits and -._~+/, and = at its end",
    ],
    ["a short hash", "ci read sha256:00ff", "F:1: sha256: is followed by 64 hexadecimal digits"],
    ["a name twice", `ci read ${SECRET}\nci read ${SECRET}2`, "F:2: the name is that of line 1"],
    ["a token twice", `a read ${SECRET}\nb write ${SECRET}`, "F:2: the token is that of line 1"],
    ["a file without tokens", "# none\n", "F: there is no token"],
  ])("refuses %s", (_, text, problem) => {
    expect(problemsOf(text)).toEqual([problem]);
  });

  it("never shows a token", () => {
    const problems = problemsOf(`ci read ${SECRET}!\nci/ write ${SECRET}\nx ${SECRET} read`);
    expect(problems).toHaveLength(3);
    expect(problems.join()).not.toContain(SECRET);
  });

  it("warns of a file that others can read", () => {
    writeFileSync(file, `ci read ${SECRET}\n`);
    chmodSync(file, 0o640);
    expect(readTokenFile(file).warnings).toEqual([
      `${file} can be read by other users: chmod 600 ends that`,
    ]);
  });

  it("says why a file cannot be read", () => {
    expect(() => readTokenFile(join(directory, "absent"))).toThrow(
      /absent cannot be read: there is no such file/,
    );
  });
});
