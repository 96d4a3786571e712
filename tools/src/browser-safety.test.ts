import { describe, expect, it } from "vitest";
import { checkBrowserEntry, type ParsedPackage } from "./browser-safety.js";
import { parseModule } from "./module-graph.js";
import type { Manifest } from "./workspace.js";

function parsed(
  directory: string,
  manifest: Manifest,
  sources: Readonly<Record<string, string>>,
): ParsedPackage {
  const item = { name: manifest.name, directory, manifest };
  const modules = Object.entries(sources).map(([file, source]) =>
    parseModule(item, `${directory}/src/${file}`, source),
  );
  return { item, modules };
}

const LOW_MANIFEST: Manifest = {
  name: "@tvix/low",
  exports: {
    ".": { types: "./dist/index.d.ts", default: "./dist/index.js" },
    "./fs": { types: "./dist/fs.d.ts", default: "./dist/fs.js" },
  },
  imports: { "#hash": { node: "./dist/hash-node.js", default: "./dist/hash-any.js" } },
};

const LOW_SOURCES = {
  "index.ts": 'export { hash } from "#hash"; export { join } from "./join.js";',
  "join.ts": "export const join = 1;",
  "fs.ts": 'import { open } from "node:fs/promises";',
  "hash-node.ts": 'import { createHash } from "node:crypto";',
  "hash-any.ts": "export const hash = 1;",
};

function check(sources: Readonly<Record<string, string>>): string[] {
  const packages = [parsed("low", LOW_MANIFEST, { ...LOW_SOURCES, ...sources })];
  return checkBrowserEntry("low/src/index.ts", packages).map(
    ({ where, what }) => `${where}: ${what}`,
  );
}

describe("checkBrowserEntry()", () => {
  it("ignores the node condition, types and files that are not reached", () => {
    expect(check({ "join.ts": 'import type { Stats } from "node:fs";' })).toEqual([]);
  });

  it("reports a node: module and how it is reached", () => {
    const packages = [
      parsed("low", LOW_MANIFEST, {
        ...LOW_SOURCES,
        "join.ts": 'import { sep } from "node:path";',
      }),
    ];
    expect(checkBrowserEntry("low/src/index.ts", packages)).toEqual([
      {
        where: "low/src/join.ts:1",
        what: "imports node:path, which browsers do not have",
        why: "low/src/index.ts must work in a browser, and reaches this file through index.ts > join.ts",
      },
    ]);
  });

  it("follows imports into other packages of the workspace", () => {
    const high = (subpath: string): ParsedPackage =>
      parsed("high", { name: "@tvix/high" }, { "index.ts": `import "@tvix/low${subpath}";` });
    const low = parsed("low", LOW_MANIFEST, LOW_SOURCES);
    expect(checkBrowserEntry("high/src/index.ts", [high(""), low])).toEqual([]);
    expect(checkBrowserEntry("high/src/index.ts", [high("/fs"), low])).toHaveLength(1);
  });

  it.each([
    ["a native addon", 'import Database from "better-sqlite3";', "imports better-sqlite3"],
    ["a lazy import", 'export const f = () => import("node:fs");', "imports node:fs"],
    ["Buffer", "export const b = Buffer.from([1]);", "uses the Node global Buffer"],
    [
      "process in a function",
      "export const f = () => process.env;",
      "uses the Node global process",
    ],
    ["a cast", "export const b = (Buffer as unknown as string)!;", "uses the Node global Buffer"],
  ])("reports %s", (_, source, what) => {
    expect(check({ "join.ts": source })).toEqual([expect.stringContaining(what)]);
  });

  it.each([
    ["a property", "export const f = (x: { process: number }) => x.process;"],
    ["a key", "export const f = () => ({ process: 1 });"],
    ["a type", "export function f(b: Buffer): Buffer { return b; }"],
    ["typeof", 'export const inNode = typeof process === "object";'],
    ["a property of globalThis", "export const p = globalThis.process;"],
  ])("does not take %s for a global", (_, source) => {
    expect(check({ "join.ts": source })).toEqual([]);
  });
});
