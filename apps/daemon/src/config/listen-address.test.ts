import { describe, expect, it } from "vitest";
import { formatListenAddress, isLoopback, parseListenAddress } from "./listen-address.js";

describe("parseListenAddress()", () => {
  it.each(["127.0.0.1:8000", "[::1]:0", "[::ffff:127.0.0.1]:65535", "my-host.example:1"])(
    "reads %s, and formatListenAddress() writes it",
    (text) => {
      const address = parseListenAddress(text);
      expect(address && formatListenAddress(address)).toBe(text);
    },
  );

  it.each([
    "",
    ":8000",
    "8000",
    "::1:8000",
    "[::1]",
    "[x]:1",
    "a:65536",
    "a:-1",
    "a:1 ",
    "a b:1",
    "http://a:1",
    "/run/a.sock",
  ])("refuses %j", (text) => {
    expect(parseListenAddress(text)).toBeUndefined();
  });
});

describe("isLoopback()", () => {
  it.each([
    ["127.0.0.1", true],
    ["127.255.0.3", true],
    ["::1", true],
    ["0:0:0:0:0:0:0:1", true],
    ["::ffff:127.0.0.1", true],
    ["localhost", true],
    ["LocalHost", true],
    ["0.0.0.0", false],
    ["::", false],
    ["128.0.0.1", false],
    ["::ffff:10.0.0.1", false],
    ["localhost.example", false],
  ])("says of %s: %s", (host, expected) => {
    expect(isLoopback(host)).toBe(expected);
  });
});
