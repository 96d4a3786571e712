import { describe, expect, it } from "vitest";
import { findImportCycles } from "./import-cycles.js";
import { parseModule, type SourceModule } from "./module-graph.js";

const ITEM = { name: "p", directory: "p", manifest: { name: "p" } };

function modules(sources: Readonly<Record<string, string>>): SourceModule[] {
  return Object.entries(sources).map(([file, source]) =>
    parseModule(ITEM, `p/src/${file}`, source),
  );
}

describe("findImportCycles()", () => {
  it("finds nothing in a graph without cycles", () => {
    const graph = modules({
      "a.ts": 'import { b } from "./b.js"; import { c } from "./c.js";',
      "b.ts": 'import { c } from "./c.js";',
      "c.ts": "export const c = 1;",
    });
    expect(findImportCycles(graph)).toEqual([]);
  });

  it("reports a cycle over three files once, with the reason", () => {
    const graph = modules({
      "a.ts": 'import { b } from "./b.js";',
      "b.ts": 'export { c } from "./c.js";',
      "c.ts": 'import "./a.js";',
      "d.ts": 'import { a } from "./a.js";',
    });
    expect(findImportCycles(graph)).toEqual([
      {
        where: "p/src/a.ts",
        what: "imports itself through p/src/b.ts, p/src/c.ts",
        why: expect.stringContaining("its values may be missing"),
      },
    ]);
  });

  it("reports two separate cycles", () => {
    const graph = modules({
      "a.ts": 'import "./b.js";',
      "b.ts": 'import "./a.js"; import "./c.js";',
      "c.ts": 'import "./d.js";',
      "d.ts": 'import "./c.js";',
    });
    expect(findImportCycles(graph).map((finding) => finding.where)).toEqual([
      "p/src/c.ts",
      "p/src/a.ts",
    ]);
  });

  it("reports a file that imports itself", () => {
    expect(findImportCycles(modules({ "a.ts": 'import "./a.js";' }))).toHaveLength(1);
  });

  it("accepts a cycle of types inside one folder, not across folders", () => {
    const pair = { "x/a.ts": 'import type { B } from "./b.js";', "x/b.ts": 'import "./a.js";' };
    expect(findImportCycles(modules(pair))).toEqual([]);
    const apart = {
      "x/a.ts": 'import type { B } from "../y/b.js";',
      "y/b.ts": 'import "../x/a.js";',
    };
    expect(findImportCycles(modules(apart))).toEqual([
      expect.objectContaining({ what: "its types depend on themselves through p/src/y/b.ts" }),
    ]);
  });

  it("does not count lazy imports", () => {
    const graph = modules({
      "a.ts": 'export const load = () => import("./b.js");',
      "b.ts": 'import { load } from "./a.js";',
    });
    expect(findImportCycles(graph)).toEqual([]);
  });
});
