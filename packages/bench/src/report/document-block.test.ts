import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { PERFORMANCE_DOCUMENT } from "../paths.js";
import { replaceBlock } from "./document-block.js";

const DOCUMENT = "before\n<!-- bench:a -->\nold\n<!-- /bench:a -->\nafter\n";

describe("replaceBlock()", () => {
  it("replaces what is between the markers and nothing else", () => {
    const once = replaceBlock(DOCUMENT, "a", "new $& $1\n");
    expect(once).toBe("before\n<!-- bench:a -->\n\nnew $& $1\n\n<!-- /bench:a -->\nafter\n");
    expect(replaceBlock(once, "a", "new $& $1")).toBe(once);
  });

  it.each([
    { title: "without a marker", document: "text" },
    { title: "without its end", document: "<!-- bench:a -->" },
    { title: "with the end first", document: "<!-- /bench:a --><!-- bench:a -->" },
    { title: "with another end before", document: `<!-- /bench:a -->${DOCUMENT}` },
    { title: "with two blocks", document: DOCUMENT + DOCUMENT },
    { title: "with another name", document: DOCUMENT.replaceAll("bench:a", "bench:ab") },
  ])("refuses a document $title", ({ document }) => {
    expect(() => replaceBlock(document, "a", "new")).toThrow(/^Cannot refresh the document/);
  });
});

describe("docs/performance.md", () => {
  it.each([
    "operations-tmpfs",
    "operations-disk",
    "primitives",
    "profile",
    "grpc-tmpfs",
    "grpc-disk",
  ])("has a place for %s", (name) => {
    const document = readFileSync(PERFORMANCE_DOCUMENT, "utf8");
    expect(replaceBlock(document, name, "tables")).toContain("tables");
  });
});
