import { describe, expect, it } from "vitest";
import { CliError, fileError, NotFoundError, UsageError } from "./exit.js";
import { describeFailure, lowerFirst, messageOf } from "./failure.js";
import { InterruptedError } from "./interrupt.js";

function coded(code: string, message: string, cause?: unknown): Error {
  return Object.assign(new Error(message, { cause }), { code });
}

describe("describeFailure()", () => {
  it.each([
    ["a wrong command line", new UsageError("no"), 2, "no"],
    ["something absent", new NotFoundError("no x"), 3, "no x"],
    ["a failure", new CliError(1, "no"), 1, "no"],
    ["damage", coded("CORRUPT", "Cannot read x: bad"), 4, "cannot read x: bad"],
    ["missing content", coded("MISSING_REFERENCE", "Cannot"), 4, "cannot"],
    ["a missing file", coded("ENOENT", "ENOENT: no such file"), 3, "ENOENT: no such file"],
    ["a full disk", coded("STORAGE", "Cannot write"), 1, "cannot write"],
    ["invalid input", coded("INVALID_ARGUMENT", "Invalid name"), 1, "invalid name"],
    ["Ctrl-C", new InterruptedError("SIGINT"), 130, "interrupted by SIGINT"],
    ["an order to end", new InterruptedError("SIGTERM"), 143, "interrupted by SIGTERM"],
    ["something that is no error", "text", 1, "text"],
    ["an error without a message", new RangeError(), 1, "rangeError"],
  ])("of %s", (_, error, exitCode, message) => {
    expect(describeFailure(error)).toEqual({ exitCode, message });
  });

  it.each([
    ["ENOENT", "no such file or directory", 3, "cannot read x: no such file or directory"],
    [
      "ENOTDIR",
      "not a directory",
      3,
      "cannot read x: no such file or directory: ENOTDIR: not a directory, open 'x'",
    ],
    ["EACCES", "permission denied", 1, "cannot read x: EACCES: permission denied, open 'x'"],
  ])("of a file that is named, with %s", (code, text, exitCode, message) => {
    const cause = coded(code, `${code}: ${text}, open 'x'`);
    expect(describeFailure(fileError("cannot read x", cause))).toEqual({ exitCode, message });
  });

  it("is one line", () => {
    expect(describeFailure(new Error("One\n  two\r\nthree")).message).toBe("one two three");
  });

  it("adds the causes that say more", () => {
    const error = new Error("Cannot write", { cause: new Error("ENOSPC: no space left") });
    expect(describeFailure(error).message).toBe("cannot write: ENOSPC: no space left");
    const again = new Error("Cannot write: ENOSPC", { cause: new Error("ENOSPC") });
    expect(describeFailure(again).message).toBe("cannot write: ENOSPC");
    const call = new Error("Cannot ask: nobody is there", {
      cause: new Error("[unavailable] nobody is there", { cause: new Error("[internal] Why") }),
    });
    expect(describeFailure(call).message).toBe("cannot ask: nobody is there: Why");
    const quoted = new Error("Cannot ask: send \\x22x\\x22", { cause: new Error('send "x"') });
    expect(describeFailure(quoted).message).toBe("cannot ask: send \\x22x\\x22");
  });
});

describe("messageOf()", () => {
  it("adds nothing to what is said of a command line", () => {
    const cause = new Error("Invalid x: y");
    expect(messageOf(new UsageError("option --x: invalid x: y", { cause }))).toBe(
      "option --x: invalid x: y",
    );
  });
});

describe("lowerFirst()", () => {
  it.each([
    ["Cannot", "cannot"],
    ["NAR of x", "NAR of x"],
    ["", ""],
    ["/nix", "/nix"],
  ])("makes %j %j", (text, expected) => {
    expect(lowerFirst(text)).toBe(expected);
  });
});
