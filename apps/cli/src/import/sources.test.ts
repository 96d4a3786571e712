import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NotFoundError, UsageError } from "../exit.js";
import { checkSources } from "./sources.js";

let directory = "";

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "tvix-sources-"));
  await writeFile(join(directory, "good"), "");
  await writeFile(join(directory, "bad name"), "");
});

afterAll(async () => {
  await rm(directory, { recursive: true });
});

describe("checkSources()", () => {
  it("names each path after its last component", () => {
    const names = checkSources([join(directory, "good"), `${directory}/`], undefined).map(
      ({ name }) => name,
    );
    expect(names).toEqual(["good", directory.slice(directory.lastIndexOf("/") + 1)]);
  });

  it("takes a given name", () => {
    expect(checkSources([join(directory, "bad name")], "fine")[0]?.name).toBe("fine");
  });

  it("tells the rule of names, and how to choose another", () => {
    const paths = [join(directory, "good"), join(directory, "bad name")];
    expect(() => checkSources(paths, undefined)).toThrow(UsageError);
    expect(() => checkSources(paths, undefined)).toThrow(
      /bad name.*0-9 a-z A-Z \+ - \. _ \? =.*--name/,
    );
  });

  it.each(["", "a b", "x".repeat(212), "a/b", "x.drv"])("refuses the name %j", (name) => {
    expect(() => checkSources([join(directory, "good")], name)).toThrow(UsageError);
  });

  it("refuses one name for two paths", () => {
    const path = join(directory, "good");
    expect(() => checkSources([path, path], "x")).toThrow(
      "option --name is for a single PATH, but there are 2",
    );
  });

  it("refuses an empty path", () => {
    expect(() => checkSources([""], undefined)).toThrow(UsageError);
  });

  it("checks all names before it looks for files", () => {
    const paths = [join(directory, "nosuch"), join(directory, "bad name")];
    expect(() => checkSources(paths, undefined)).toThrow(UsageError);
  });

  it.each(["nosuch", "good/below"])("does not find %s", (name) => {
    expect(() => checkSources([join(directory, name)], undefined)).toThrow(NotFoundError);
  });
});
