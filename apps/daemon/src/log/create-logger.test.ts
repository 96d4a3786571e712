import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { LogFormat, LogLevel } from "../config/settings.js";
import { createLogger } from "./create-logger.js";
import { errorText, type Logger, printable } from "./logger.js";

let directory: string;
let fd: number;
let lines: string[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "tvix-daemon-log-"));
  fd = openSync(join(directory, "log"), "a");
  lines = [];
});

afterEach(() => {
  closeSync(fd);
  rmSync(directory, { recursive: true });
});

async function open(level: LogLevel, format: LogFormat, isTerminal = false): Promise<Logger> {
  return await createLogger({
    level,
    format,
    fd,
    isTerminal,
    writeText: (line) => lines.push(line),
  });
}

function jsonLines(): Record<string, unknown>[] {
  const text = readFileSync(join(directory, "log"), "utf8");
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

function writeAll(logger: Logger): void {
  logger.debug("d");
  logger.info("i");
  logger.warn("w");
  logger.error("e");
  logger.always("a");
}

describe("createLogger()", () => {
  it.each([
    ["debug", ["d", "i", "w", "e", "a"]],
    ["info", ["i", "w", "e", "a"]],
    ["warn", ["w", "e", "a"]],
    ["error", ["e", "a"]],
    ["off", ["a"]],
  ] as const)("writes from level %s on", async (level, expected) => {
    writeAll(await open(level, "json"));
    expect(jsonLines().map(({ msg }) => msg)).toEqual(expected);
    writeAll(await open(level, "text"));
    expect(lines.map((line) => line.at(-1))).toEqual(expected);
  });

  it("writes JSON with level, time and fields, without those that are not set", async () => {
    const logger = await open("info", "json");
    logger.warn("m", { code: "x", n: 1, list: ["a"], gone: undefined });
    const [line] = jsonLines();
    expect(line).toEqual({
      level: "warn",
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      msg: "m",
      code: "x",
      n: 1,
      list: ["a"],
    });
  });

  it("writes text with values in quotes where they need them", async () => {
    const logger = await open("info", "text");
    logger.info("ready", { addresses: ["a", "b"], reason: 'it "is"', n: 5, empty: "" });
    expect(lines).toEqual([
      expect.stringMatching(
        /^\d\d:\d\d:\d\d info {2}ready addresses=a,b reason="it \\"is\\"" n=5 empty=""$/,
      ),
    ]);
  });

  it("is text on a terminal, else JSON", async () => {
    (await open("info", "auto", true)).info("on a terminal");
    (await open("info", "auto", false)).info("in a pipe");
    expect(lines).toHaveLength(1);
    expect(jsonLines()).toHaveLength(1);
  });

  it.each(["json", "text"] as const)("escapes what peers send (%s)", async (format) => {
    (await open("info", format)).info("m\u001b[2J", { peer: "a\nb\u202e\u009b" });
    const raw = format === "json" ? readFileSync(join(directory, "log"), "utf8") : lines.join("");
    expect(raw.trimEnd()).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(raw).toContain("a");
  });
});

describe("printable()", () => {
  it("escapes and cuts", () => {
    expect(printable("é a\0\u2028\u{e0001}")).toBe("é a\\u{0}\\u{2028}\\u{e0001}");
    expect(printable("x".repeat(600))).toBe(`${"x".repeat(500)}...`);
  });
});

describe("errorText()", () => {
  it("adds causes that say more", () => {
    const cause = new Error("EIO");
    expect(errorText(new Error("a", { cause: new Error("b", { cause }) }))).toBe("a: b: EIO");
    expect(errorText(new Error("a: EIO", { cause }))).toBe("a: EIO");
    expect(errorText(new TypeError(""))).toBe("TypeError");
    expect(errorText("x")).toBe("x");
  });
});
