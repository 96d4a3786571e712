import { describe, expect, it } from "vitest";
import { createModuleNames } from "./bundle-modules.js";

const BUNDLE = `import fs from "node:fs";
//#region dist/run.js
function run() {}
//#endregion
// ../../packages/castore/dist/localstore/compression.js
function compress() {}
// Speaks of run.js, and names no module.
function decompress() {}
`;

describe("createModuleNames()", () => {
  const reads: string[] = [];
  const moduleName = createModuleNames((url) => {
    reads.push(url);
    return url.includes("bundle") ? BUNDLE : "function f() {}";
  });

  it.each([
    { url: "file:///x/bundle/main-AbCd.js", line: 0, name: "main-AbCd.js" },
    { url: "file:///x/bundle/main-AbCd.js", line: 2, name: "run.js" },
    { url: "file:///x/bundle/main-AbCd.js", line: 5, name: "compression.js" },
    { url: "file:///x/bundle/main-AbCd.js", line: 7, name: "compression.js" },
    { url: "file:///x/dist/plain.js", line: 7, name: "plain.js" },
    { url: "node:internal/crypto/hash", line: 7, name: "hash" },
  ])("line $line of $url is in $name", ({ url, line, name }) => {
    expect(moduleName(url, line)).toBe(name);
  });

  it("reads each file once, and no module of Node", () => {
    expect(reads).toEqual(["file:///x/bundle/main-AbCd.js", "file:///x/dist/plain.js"]);
  });
});
