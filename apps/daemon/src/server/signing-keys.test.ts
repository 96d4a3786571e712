import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SigningKey } from "@tvix/store";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ConfigError } from "../config/config-error.js";
import { readSigningKeys } from "./signing-keys.js";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "tvix-signing-keys-"));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

function write(name: string, text: string, mode = 0o600): string {
  const file = join(directory, name);
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
}

const A = SigningKey.of("a-1", new Uint8Array(32).fill(1));
const B = SigningKey.of("b-1", new Uint8Array(32).fill(2));

describe("readSigningKeys()", () => {
  it("reads a key from each file, with a line break at its end or without", () => {
    const files = [write("a", A.formatSecret()), write("b", `${B.formatSecret()}\n`)];
    const { keys, warnings } = readSigningKeys(files);
    expect(keys.map(({ publicKey }) => String(publicKey))).toEqual([
      String(A.publicKey),
      String(B.publicKey),
    ]);
    expect(warnings).toEqual([]);
    expect(readSigningKeys([])).toEqual({ keys: [], warnings: [] });
  });

  it("warns of a file that others can read", () => {
    const file = write("a", A.formatSecret(), 0o644);
    expect(readSigningKeys([file]).warnings).toEqual([
      `${file} can be read by other users: chmod 600 ends that`,
    ]);
  });

  it("names every file that cannot be used, and nothing of what is in it", () => {
    const secret = A.formatSecret();
    const files = [
      join(directory, "missing"),
      write("empty", ""),
      write("public", String(A.publicKey)),
      write("long", "x".repeat(5000)),
      write("a", secret),
      write("a-again", secret),
    ];
    let problems: readonly string[] = [];
    try {
      readSigningKeys(files);
    } catch (error) {
      if (error instanceof ConfigError) problems = error.problems;
    }
    expect(problems).toHaveLength(5);
    for (const name of ["missing", "empty", "public", "long", "a-again"]) {
      expect(problems.filter((text) => text.startsWith(join(directory, name)))).toHaveLength(1);
    }
    expect(problems.join()).not.toContain(secret.slice(4, 20));
  });
});
