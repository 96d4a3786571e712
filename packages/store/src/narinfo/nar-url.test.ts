import { describe, expect, it } from "vitest";
import { MAX_NAR_URL_LENGTH, narUrlProblem, resolveNarUrl } from "./nar-url.js";

describe("narUrlProblem()", () => {
  it.each([
    "nar/14cx20k6z4hq508kqi2lm79qfld5f9mf7kiafpqsjs3zlmycza0k.nar.xz",
    "nar/tvix-castore/EiQSIFyngVrctITpoTbBHv5pwdUwF21Um10Y0DjrUoC0s0cMGAw?narsize=128",
    "x",
    "nar/a..b/...",
    "nar//x",
    "nar/x?a=../b&c=http://d",
    "nar/a:b",
    "https://cache.example.com/nar/x.nar",
    "HTTP://cache.example.com:8080/nar/x.nar?a=b",
    "x".repeat(MAX_NAR_URL_LENGTH),
  ])("takes %.80s", (url) => {
    expect(narUrlProblem(url)).toBeUndefined();
  });

  it.each([
    ["", "empty"],
    ["a b", "ASCII"],
    ["a\nb", "ASCII"],
    ["a\u0000", "ASCII"],
    ["é", "ASCII"],
    ["nar\\..\\x", "backslashes"],
    ["nar/x#y", "fragments"],
    ["/nar/x", "slash"],
    ["//example.com/x", "slash"],
    ["../x", "steps"],
    ["nar/../x", "steps"],
    ["nar/..", "steps"],
    ["nar/%2e%2E/x", "steps"],
    ["nar/.%2e?x", "steps"],
    ["./x", "steps"],
    ["file:///etc/passwd", "scheme"],
    ["ftp://example.com/x", "scheme"],
    ["http:/x", "scheme"],
    ["javascript:x", "scheme"],
    ["x:nar", "scheme"],
    ["http://", "not a URL"],
    ["http://exa<mple/", "not a URL"],
    ["http://user@example.com/x", "user name"],
    ["http://:secret@example.com/x", "password"],
    ["x".repeat(MAX_NAR_URL_LENGTH + 1), "longer"],
  ])("refuses %j", (url, why) => {
    expect(narUrlProblem(url)).toContain(why);
  });
});

describe("resolveNarUrl()", () => {
  it.each([
    ["http://h", "nar/x", "http://h/nar/x"],
    ["http://h/", "nar/x?narsize=1", "http://h/nar/x?narsize=1"],
    ["http://h/p/q", "nar/x", "http://h/p/q/nar/x"],
    ["http://h/p/q/?priority=1#f", "nar/x", "http://h/p/q/nar/x"],
    ["http://h/p", "https://other/x", "https://other/x"],
    ["http://h/p", "x?a:b", "http://h/p/x?a:b"],
  ])("joins %s and %s as Nix does", (cache, url, expected) => {
    expect(resolveNarUrl(new URL(cache), url).href).toBe(expected);
  });

  it("refuses what may not be in a narinfo", () => {
    expect(() => resolveNarUrl(new URL("http://h"), "../x")).toThrow(/steps such as/);
  });
});
