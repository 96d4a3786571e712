import { describe, expect, it } from "vitest";
import type { OptionSpecs } from "../command.js";
import { UsageError } from "../exit.js";
import { checkCount, parseWords } from "./parse.js";

const SPECS: OptionSpecs = {
  name: { value: "NAME", summary: "" },
  json: { summary: "" },
  long: { short: "l", summary: "" },
  recursive: { short: "R", summary: "" },
  depth: { short: "L", value: "N", summary: "" },
  listen: { value: "ADDR,...", repeats: true, summary: "" },
};

function parse(...words: string[]) {
  const parsed = parseWords(words, SPECS);
  const given = Object.keys(SPECS)
    .filter((name) => parsed.options.has(name))
    .map((name) => [name, parsed.options.value(name) ?? true]);
  return [...parsed.arguments, Object.fromEntries(given)];
}

describe("parseWords()", () => {
  it.each([
    ["nothing", [], [{}]],
    ["arguments in order", ["b", "a"], ["b", "a", {}]],
    ["a switch", ["--json"], [{ json: true }]],
    ["a value as the next word", ["--name", "x", "y"], ["y", { name: "x" }]],
    ["a value behind =", ["--name=x", "y"], ["y", { name: "x" }]],
    ["an empty value", ["--name="], [{ name: "" }]],
    ["a value that begins with a dash behind =", ["--name=-x"], [{ name: "-x" }]],
    ["a dash as a value", ["--name", "-"], [{ name: "-" }]],
    ["short switches in one word", ["-lR"], [{ long: true, recursive: true }]],
    ["a short option with its value", ["-L2"], [{ depth: "2" }]],
    ["a short option and the next word", ["-L", "2"], [{ depth: "2" }]],
    ["options behind arguments", ["a", "--json", "b"], ["a", "b", { json: true }]],
    ["the last of two values", ["--name", "x", "--name", "y"], [{ name: "y" }]],
    ["values that add up", ["--listen", "x,y", "--listen=z"], [{ listen: "x,y,z" }]],
    ["a dash as an argument", ["-"], ["-", {}]],
    ["anything behind --", ["--", "--json", "-l", "--"], ["--json", "-l", "--", {}]],
    ["an empty argument", [""], ["", {}]],
  ])("reads %s", (_, words, expected) => {
    expect(parse(...words)).toEqual(expected);
  });

  it.each([
    ["an unknown option", ["--nmae", "x"], "unknown option --nmae: did you mean --name?"],
    ["one that is like none", ["--frobnicate"], "unknown option --frobnicate: see --help"],
    ["an unknown letter", ["-lx"], "unknown option -x: see --help"],
    ["a property of every object", ["--constructor"], "unknown option --constructor: see --help"],
    ["a missing value", ["--name"], "option --name needs a value: --name NAME"],
    ["an option for a value", ["--name", "--json"], "option --name needs a value: --name NAME"],
    ["a value for a switch", ["--json=yes"], "option --json takes no value"],
    ["an empty value for a switch", ["--json="], "option --json takes no value"],
  ])("refuses %s", (_, words, message) => {
    expect(() => parse(...words)).toThrow(new UsageError(message));
  });
});

describe("Options", () => {
  it("refuses a name that was never declared", () => {
    expect(() => parseWords([], SPECS).options.has("nosuch")).toThrow(TypeError);
  });
});

describe("checkCount()", () => {
  const spec = { usage: "TARGET [PATH]", min: 1, max: 2 };

  it.each([[["a"]], [["a", "b"]]])("takes %j", (words) => {
    expect(() => checkCount("ls", words, spec)).not.toThrow();
  });

  it("tells what is missing", () => {
    expect(() => checkCount("ls", [], spec)).toThrow("ls needs TARGET [PATH]: see tvix ls --help");
  });

  it("tells what is too much", () => {
    expect(() => checkCount("ls", ["a", "b", "c"], spec)).toThrow(
      'ls takes TARGET [PATH], but there is also "c"',
    );
    expect(() => checkCount("check", ["a"], { usage: "", min: 0, max: 0 })).toThrow(
      'check takes no arguments, but there is "a"',
    );
  });
});
