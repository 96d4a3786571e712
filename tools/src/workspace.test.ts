import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { REPOSITORY_ROOT, readWorkspace, sortByDependencies } from "./workspace.js";

function item(name: string, ...dependencies: string[]) {
  const entries = dependencies.map((dependency) => [dependency, "workspace:*"]);
  return { name, directory: name, manifest: { name, dependencies: Object.fromEntries(entries) } };
}

describe("sortByDependencies()", () => {
  it("puts dependencies first, and sorts the rest by directory", () => {
    const sorted = sortByDependencies([
      item("c"),
      item("a", "d", "npm-package"),
      item("d", "c"),
      item("b"),
    ]);
    expect(sorted.map(({ name }) => name)).toEqual(["c", "d", "a", "b"]);
  });

  it("ends on a cycle", () => {
    expect(sortByDependencies([item("a", "b"), item("b", "a")])).toHaveLength(2);
  });
});

describe("readWorkspace()", () => {
  it("lists the packages of this repository, libraries before what uses them", async () => {
    const names = (await readWorkspace(REPOSITORY_ROOT)).map(({ name }) => name);
    expect(names).not.toContain("tvix");
    expect(names).toContain("@tvix/tools");
    expect(names.indexOf("@tvix/castore")).toBeLessThan(names.indexOf("@tvix/store"));
    expect(names.indexOf("@tvix/store")).toBeLessThan(names.indexOf("@tvix/cli"));
  });
});

describe("pnpm-lock.yaml", () => {
  it("names no address: where packages come from is up to the machine", async () => {
    const lock = await readFile(join(REPOSITORY_ROOT, "pnpm-lock.yaml"), "utf8");
    expect(lock.match(/^.*(https?:|tarball:|resolved:).*$/gm) ?? []).toEqual([]);
    expect(lock).toContain("integrity: sha512-");
  });
});
