import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { measureTree } from "./walk-tree.js";
import { makeWarmTree } from "./warm-tree.js";

let scratch: string;

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "tvix-bench-warm-"));
});

afterEach(() => {
  rmSync(scratch, { recursive: true });
});

describe("makeWarmTree()", () => {
  it("cuts small and large files out of two others", () => {
    const large = join(scratch, "large");
    mkdirSync(large);
    writeFileSync(join(large, "text.log"), "text".repeat(500_000));
    writeFileSync(join(large, "random.bin"), "noise".repeat(500_000));
    makeWarmTree(join(scratch, "warm"), large, { files: 60 });
    expect(measureTree(join(scratch, "warm"))).toMatchObject({ files: 60, directories: 3 });
    const file = (i: number) =>
      readFileSync(join(scratch, `warm/folder-${Math.floor(i / 50)}/file-${i}`), "latin1");
    expect(file(0)).toBe("text".repeat(500_000).slice(0, 150));
    expect(file(3)).toMatch(/^(?:n?o?i?s?e?)(?:noise){500,}n?o?i?s?e?$/);
    expect(file(49)).toHaveLength(500_000);
  });
});
