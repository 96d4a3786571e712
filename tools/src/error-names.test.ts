import { describe, expect, it } from "vitest";
import { checkErrorNames } from "./error-names.js";
import { parseModule } from "./module-graph.js";

function check(source: string, file = "errors.ts"): string[] {
  const module = parseModule(
    { name: "p", directory: "p", manifest: { name: "p" } },
    `p/src/${file}`,
    source,
  );
  return checkErrorNames([module]).map((finding) => finding.what);
}

describe("checkErrorNames()", () => {
  it.each([
    [
      "the name of the class",
      'export class AError extends Error { override readonly name = "AError"; }',
    ],
    [
      "a name with a type",
      'class AError extends Error { override readonly name: string = "AError"; }',
    ],
    [
      "a constant name",
      'class AError extends BError { override readonly name = "AError" as const; }',
    ],
    ["a class that is no error", "class A extends B {}"],
  ])("accepts %s", (_, source) => {
    expect(check(source)).toEqual([]);
  });

  it("reports a name that belongs to another class", () => {
    expect(check('class AError extends Error { override readonly name = "BError"; }')).toEqual([
      'class AError says its name is "BError"',
    ]);
  });

  it("reports an inherited name", () => {
    expect(check("class AError extends CastoreError {}")).toEqual([
      "class AError does not set its name property to a string literal",
    ]);
  });

  it("leaves tests alone", () => {
    expect(check("class AError extends Error {}", "errors.test.ts")).toEqual([]);
  });
});
