import { describe, expect, it } from "vitest";
import { commandHelp, programHelp } from "./help.js";
import { COMMANDS } from "./table.js";

describe("programHelp()", () => {
  it("fits 80 columns", () => {
    for (const line of programHelp(COMMANDS).split("\n"))
      expect(line.length).toBeLessThanOrEqual(80);
  });
});

describe("commandHelp()", () => {
  it.each(COMMANDS)("of $name fits 80 columns, its examples excepted", async (entry) => {
    const [text = ""] = commandHelp(entry, await entry.load()).split(/\nExamples?:\n/);
    for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  });

  it.each(COMMANDS)("of $name shows each option", async (entry) => {
    const command = await entry.load();
    const text = commandHelp(entry, command);
    for (const name of [...Object.keys(command.options), "data-dir", "help"]) {
      expect(text).toContain(`--${name} `);
    }
  });

  it.each(COMMANDS)("of $name gives examples of tvix", async (entry) => {
    const { examples } = await entry.load();
    for (const { line } of examples) expect(line).toContain(`tvix ${entry.name}`);
  });
});
