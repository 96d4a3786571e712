import { describe, expect, it } from "vitest";
import { TomlLines } from "./toml-lines.js";

const LINES = new TomlLines(`# comment
top = 1
[ blobservices.root ] # comment
type = "cache"
"near" = "a"
  far="b"
[blobservices."a b"]
type = "memory"
[[upstreams]]
url = "x"
[[upstreams]]
url = "y"
[dotted]
a.b = 1
`);

describe("TomlLines.of()", () => {
  it.each([
    ["top", undefined, 2],
    ["blobservices.root", undefined, 3],
    ["blobservices.root", "type", 4],
    ["blobservices.root", "near", 5],
    ["blobservices.root", "far", 6],
    ["blobservices.root", "absent", 3],
    ["blobservices.a b", "type", 8],
    ["upstreams[0]", "url", 10],
    ["upstreams[1]", "url", 12],
    ["blobservices", undefined, 3],
    ["upstreams", undefined, 9],
    ["dotted", "a.b", 14],
    ["absent", "key", undefined],
  ])("%s, key %s is on line %s", (path, key, line) => {
    expect(LINES.of(path, key)).toBe(line);
  });
});
