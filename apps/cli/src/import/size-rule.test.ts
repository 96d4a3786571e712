import { describe, expect, it } from "vitest";
import { UsageError } from "../exit.js";
import { parseSizeRule } from "./size-rule.js";

describe("parseSizeRule()", () => {
  it.each([
    [undefined, "documented"],
    ["documented", "documented"],
    ["doubled", "doubled"],
  ])("takes %s for %s", (name, rule) => {
    expect(parseSizeRule(name)).toBe(rule);
  });

  it.each(["", "double", "Doubled", "documented,doubled"])('refuses "%s"', (name) => {
    expect(() => parseSizeRule(name)).toThrow(
      new UsageError(
        `option --directory-size-rule needs documented or doubled, not ${JSON.stringify(name)}`,
      ),
    );
  });
});
