import { describe, expect, it } from "vitest";
import { dataDirectory } from "./data-dir.js";
import { UsageError } from "./exit.js";

const HOME = { homeDirectory: "/home/ada", isRoot: false, env: {} };

describe("dataDirectory()", () => {
  it.each([
    ["the option first", "opt", { TVIX_DATA_DIR: "/env", XDG_DATA_HOME: "/xdg" }, false, "opt"],
    [
      "its own variable next",
      undefined,
      { TVIX_DATA_DIR: "env", XDG_DATA_HOME: "/xdg" },
      false,
      "env",
    ],
    ["then XDG_DATA_HOME", undefined, { XDG_DATA_HOME: "/xdg" }, false, "/xdg/tvix"],
    ["XDG_DATA_HOME for root too", undefined, { XDG_DATA_HOME: "/xdg" }, true, "/xdg/tvix"],
    ["the home directory", undefined, {}, false, "/home/ada/.local/share/tvix"],
    ["the system's place for root", undefined, {}, true, "/var/lib/tvix"],
    [
      "nothing from a relative XDG_DATA_HOME",
      undefined,
      { XDG_DATA_HOME: "x" },
      false,
      "/home/ada/.local/share/tvix",
    ],
    [
      "nothing from an empty XDG_DATA_HOME",
      undefined,
      { XDG_DATA_HOME: "" },
      true,
      "/var/lib/tvix",
    ],
  ])("takes %s", (_, option, env, isRoot, expected) => {
    expect(dataDirectory(option, { ...HOME, isRoot, env })).toBe(expected);
  });

  it("refuses an empty name", () => {
    expect(() => dataDirectory("", HOME)).toThrow(UsageError);
    expect(() => dataDirectory(undefined, { ...HOME, env: { TVIX_DATA_DIR: "" } })).toThrow(
      UsageError,
    );
  });
});
