import { describe, expect, it } from "vitest";
import { isOrigin } from "./origin.js";

describe("isOrigin()", () => {
  it.each([
    "https://example.org",
    "http://localhost:5173",
    "http://[::1]:8080",
    "https://xn--bcher-kva.example",
  ])("takes %s", (text) => {
    expect(isOrigin(text)).toBe(true);
  });

  it.each([
    ["everybody", "*"],
    ["the origin of pages without one", "null"],
    ["no scheme", "example.org"],
    ["a path", "https://example.org/"],
    ["the usual port", "https://example.org:443"],
    ["capital letters", "https://Example.org"],
    ["letters that are sent otherwise", "https://b\u00fccher.example"],
    ["a user", "https://me@example.org"],
    ["another scheme", "ftp://example.org"],
    ["a pattern", "https://*.example.org/*"],
    ["space", " https://example.org"],
    ["nothing", ""],
  ])("refuses %s", (_, text) => {
    expect(isOrigin(text)).toBe(false);
  });
});
