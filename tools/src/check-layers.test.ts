import { describe, expect, it } from "vitest";
import { checkLayers } from "./check-layers.js";
import type { Finding } from "./finding.js";
import { PACKAGE_RULES, type PackageRules } from "./layer-rules.js";
import { parseModule } from "./module-graph.js";
import type { WorkspacePackage } from "./workspace.js";

const CASTORE: WorkspacePackage = {
  name: "@tvix/castore",
  directory: "packages/castore",
  manifest: {
    name: "@tvix/castore",
    imports: { "#blake3": { node: "./dist/hasher/node.js", default: "./dist/hasher/any.js" } },
  },
};

function rulesOf(name: string): PackageRules {
  const rules = PACKAGE_RULES.find((candidate) => candidate.name === name);
  if (rules === undefined) throw new Error(`No rules for ${name}`);
  return rules;
}

function check(file: string, source: string): Finding[] {
  const module = parseModule(CASTORE, `packages/castore/src/${file}`, source);
  return checkLayers(CASTORE, [module], rulesOf("@tvix/castore"));
}

describe("checkLayers()", () => {
  it.each([
    ["a file of a lower layer", "nodes/node.ts", 'import { Path } from "../path/path.js";'],
    ["a sibling in the same layer", "path/path.ts", 'import { c } from "./component.js";'],
    ["node: outside the pure layers", "localstore/x.ts", 'import { open } from "node:fs";'],
    ["node: in the test of a pure layer", "path/path.test.ts", 'import "node:assert";'],
    [
      "messages in wire/",
      "wire/node-codec.ts",
      'import { NodeSchema } from "@tvix/protos/castore";',
    ],
    ["a suite in a test", "blobservice/memory.test.ts", 'import { s } from "../testing/suite.js";'],
    ["vitest in testing/", "testing/suite.ts", 'import { it } from "vitest";'],
    ["a conditional import", "digest.ts", 'import { hash } from "#blake3";'],
  ])("accepts %s", (_, file, source) => {
    expect(check(file, source)).toEqual([]);
  });

  it.each([
    [
      "an import upwards",
      "path/path.ts",
      'import { Node } from "../nodes/node.js";',
      'imports nodes/node.ts: layer "path" lies below "nodes"',
      "names are validated without knowing what they name",
    ],
    [
      "an import of types upwards",
      "blobservice/blob-service.ts",
      'import type { Memory } from "./memory.js";',
      'imports blobservice/memory.ts: layer "service contracts" lies below "implementations"',
      "a contract that knew an implementation would bind all the others to it",
    ],
    [
      "a lazy import upwards",
      "nodes/node.ts",
      'export const load = () => import("../localstore/store.js");',
      'imports localstore/store.ts: layer "nodes" lies below "local store"',
      "nodes are values",
    ],
    [
      "node: in a pure layer",
      "wire/node-codec.ts",
      'import { Buffer } from "node:buffer";',
      'imports node:buffer in the pure layer "wire"',
      "run in a browser",
    ],
    [
      "the same without the prefix",
      "wire/node-codec.ts",
      'import { Buffer } from "buffer";',
      'imports buffer in the pure layer "wire"',
      "run in a browser",
    ],
    [
      "testing/ in other code",
      "localstore/store.ts",
      'import { seeded } from "../testing/seeded-random.js";',
      "from code that is not a test",
      "must not be part of what users run",
    ],
    [
      "vitest in other code",
      "localstore/store.ts",
      'import { vi } from "vitest";',
      "imports vitest outside tests and testing/",
      "users of the package do not have them",
    ],
    [
      "the index of the own package",
      "localstore/store.ts",
      'export { B3Digest } from "../index.js";',
      "imports the index of its own package",
      "makes a cycle of everything",
    ],
    [
      "the own package by name",
      "localstore/store.ts",
      'import { B3Digest } from "@tvix/castore";',
      "imports its own package by name",
      "leads to the built copy",
    ],
    [
      "a package above",
      "import/fs.ts",
      'import { narSize } from "@tvix/store";',
      "imports @tvix/store, which @tvix/castore may not depend on",
      "it knows neither Nix nor a command line",
    ],
    [
      "messages outside wire/",
      "nodes/node.ts",
      'import { NodeSchema } from "@tvix/protos/castore";',
      "imports @tvix/protos/castore outside wire/, rpc/ and grpc/",
      "go no further",
    ],
  ])("reports %s, with the reason", (_, file, source, what, why) => {
    const findings = check(file, source);
    expect(findings.map((finding) => finding.what).join("\n")).toContain(what);
    expect(findings.map((finding) => finding.why).join("\n")).toContain(why);
  });

  it("names the line of the import", () => {
    const [finding] = check("path/path.ts", '\n\nimport { Node } from "../nodes/node.js";');
    expect(finding?.where).toBe("packages/castore/src/path/path.ts:3");
  });

  it("reports a file that has no layer", () => {
    const [finding] = check("misc/helper.ts", "export const x = 1;");
    expect(finding?.what).toContain("belongs to no layer");
  });

  it("lets a package of tests use fixtures everywhere", () => {
    const e2e = { ...CASTORE, name: "@tvix/e2e", directory: "packages/e2e" };
    const source = 'import { seeded } from "@tvix/castore/testing";';
    const module = parseModule(e2e, "packages/e2e/src/run.ts", source);
    const rules = rulesOf("@tvix/e2e");
    expect(checkLayers(e2e, [module], rules)).toEqual([]);
    expect(checkLayers(e2e, [module], { ...rules, isTestCode: undefined })).toHaveLength(1);
  });

  it("sees every target of a conditional import", () => {
    const [finding] = check("bytes.ts", 'import { hash } from "#blake3";');
    expect(finding?.what).toContain('layer "ground" lies below "digest and hasher"');
  });
});
