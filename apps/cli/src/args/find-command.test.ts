import { describe, expect, it } from "vitest";
import { UsageError } from "../exit.js";
import { GLOBAL_OPTIONS } from "../global-options.js";
import { findCommand } from "./find-command.js";

const NAMES = ["import", "ls", "info", "nar dump", "nar list"];

describe("findCommand()", () => {
  it.each([
    ["a word", ["ls", "x"], "ls", ["x"]],
    ["no word at all", [], undefined, []],
    ["options alone", ["--help"], undefined, ["--help"]],
    ["a global option before", ["--data-dir", "d", "ls", "x"], "ls", ["--data-dir", "d", "x"]],
    [
      "a value that is called like a command",
      ["--data-dir", "ls", "info"],
      "info",
      ["--data-dir", "ls"],
    ],
    ["a value behind =", ["--data-dir=d", "ls"], "ls", ["--data-dir=d"]],
    ["a switch before", ["-q", "ls"], "ls", ["-q"]],
    ["an option of the command before", ["--json", "ls", "x"], "ls", ["--json", "x"]],
    ["one with a value before", ["--name", "n", "import", "x"], "import", ["--name", "n", "x"]],
    ["two words", ["nar", "dump", "x"], "nar dump", ["x"]],
    ["two words behind an option", ["-q", "nar", "list"], "nar list", ["-q"]],
    ["-- before any word", ["--", "ls"], undefined, ["--", "ls"]],
    ["its own name as an argument", ["ls", "ls"], "ls", ["ls"]],
  ])("finds %s", (_, words, name, rest) => {
    expect(findCommand(words, NAMES, GLOBAL_OPTIONS)).toEqual({ name, rest });
  });

  it.each([
    [["imprt", "x"], 'unknown command "imprt": did you mean "import"?'],
    [["frobnicate"], 'unknown command "frobnicate": see tvix --help'],
    [["nar"], '"nar" is incomplete, there is: tvix nar dump, tvix nar list'],
    [["nar", "--json"], '"nar" is incomplete, there is: tvix nar dump, tvix nar list'],
    [["nar", "dmup"], 'unknown command "nar dmup", there is: tvix nar dump, tvix nar list'],
    [["-q", "xyz", "ls"], 'unknown command "xyz": see tvix --help'],
  ])("refuses %j", (words, message) => {
    expect(() => findCommand(words, NAMES, GLOBAL_OPTIONS)).toThrow(new UsageError(message));
  });
});
