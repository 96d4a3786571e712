import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { formatTimeout, parseTimeout } from "./timeout.js";

describe("parseTimeout()", () => {
  it.each([
    ["1H", 3_600_000],
    ["2M", 120_000],
    ["3S", 3000],
    ["4m", 4],
    ["500u", 0.5],
    ["1000000n", 1],
    ["0m", 0],
    ["99999999H", 2 ** 31 - 1],
  ])("reads %s as %d ms", (header, ms) => {
    expect(parseTimeout(header)).toBeCloseTo(ms);
  });

  it.each(["", "1", "m", "1s", "-1S", "1.5S", "123456789S", " 1S"])("refuses %j", (header) => {
    expect(() => parseTimeout(header)).toThrow(
      new ConnectError(`Cannot read grpc-timeout ${JSON.stringify(header)}`, Code.InvalidArgument),
    );
  });
});

describe("formatTimeout()", () => {
  it.each([
    [0.2, "1m"],
    [-5, "1m"],
    [1500, "1500m"],
    [99_999_999, "99999999m"],
    [100_000_000, "100000S"],
    [1e18, "99999999H"],
  ])("writes %d ms as %s", (ms, header) => {
    expect(formatTimeout(ms)).toBe(header);
  });
});
