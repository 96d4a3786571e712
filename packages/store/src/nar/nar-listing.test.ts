import { compareBytes, MemoryBlobService, MemoryDirectoryService, toUtf8 } from "@tvix/castore";
import { SeededRandom } from "@tvix/castore/testing";
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { NAR_FIXTURES, SYMLINK_NODE, storeDirectory } from "../testing/nar-fixtures.js";
import { mutate } from "../testing/nar-mutations.js";
import type { MemoryTree } from "../testing/nar-reference.js";
import { storeTree, trees } from "../testing/tree-arbitrary.js";
import { NarLayout } from "./nar-layout.js";
import { formatNarListing } from "./nar-listing.js";
import { NarListingError } from "./nar-listing-error.js";
import { type ListedNode, parseNarListing } from "./parse-nar-listing.js";
import type { CastoreServices } from "./renderer.js";

let services: CastoreServices;
beforeEach(() => {
  services = { blobs: new MemoryBlobService(), directories: new MemoryDirectoryService() };
});

function file(text: string, executable = false): MemoryTree {
  return { type: "file", content: toUtf8(text), executable };
}

function directory(entries: Readonly<Record<string, MemoryTree>>): MemoryTree {
  return {
    type: "directory",
    entries: Object.entries(entries)
      .map(([name, tree]) => [toUtf8(name), tree] as const)
      .sort(([a], [b]) => compareBytes(a, b)),
  };
}

/** Names that JSON, JavaScript and careless quoting have trouble with. */
const ODD_TREE = directory({
  0: directory({}),
  10: file("x"),
  9: file("y"),
  ["__proto__"]: file("z"),
  a: file("hello"),
  "ctl\u0001\b\f\n\t\u007f": file("c"),
  "ls\u2028": file("n"),
  'q"uo\\te': file("q"),
  run: file("#!/bin/sh\n", true),
  "sl<>&'": file("b"),
  sub: directory({
    empty: directory({}),
    link: { type: "symlink", target: toUtf8("../a") },
    none: file(""),
  }),
  "\u00fc\u20ac\u{1f600}": file("u"),
});

/** Of that tree, by `nix copy --to 'file://...?write-nar-listing=1'` of Nix 2.8.0. */
const ODD_LISTING =
  '{"version":1,"root":{"type":"directory","entries":{"0":{"type":"directory","entries":{}},' +
  '"10":{"type":"regular","size":1,"narOffset":400},"9":{"type":"regular","size":1,"narOffset":592},' +
  '"__proto__":{"type":"regular","size":1,"narOffset":792},"a":{"type":"regular","size":5,"narOffset":984},' +
  '"ctl\\u0001\\u0008\\u000c\\n\\t\u007f":{"type":"regular","size":1,"narOffset":1184},' +
  '"ls\u2028":{"type":"regular","size":1,"narOffset":1376},"q\\"uo\\\\te":{"type":"regular","size":1,"narOffset":1568},' +
  '"run":{"type":"regular","size":10,"executable":true,"narOffset":1792},' +
  '"sl<>&\'":{"type":"regular","size":1,"narOffset":1992},' +
  '"sub":{"type":"directory","entries":{"empty":{"type":"directory","entries":{}},' +
  '"link":{"type":"symlink","target":"../a"},"none":{"type":"regular","size":0,"narOffset":2680}}},' +
  '"\u00fc\u20ac\u{1f600}":{"type":"regular","size":1,"narOffset":2904}}}}';

describe("formatNarListing()", () => {
  it("writes what Nix writes", async () => {
    const layout = await NarLayout.of(services, await storeTree(services, ODD_TREE));
    expect(formatNarListing(layout)).toBe(ODD_LISTING);
  });

  it.each([
    ["symlink", '{"version":1,"root":{"type":"symlink","target":"/nix/store/somewhereelse"}}'],
    ["hello world", '{"version":1,"root":{"type":"regular","size":12,"narOffset":96}}'],
    [
      "complicated directory",
      '{"version":1,"root":{"type":"directory","entries":{".keep":{"type":"regular","size":0,"narOffset":232},' +
        '"aa":{"type":"symlink","target":"/nix/store/somewhereelse"},' +
        '"keep":{"type":"directory","entries":{".keep":{"type":"regular","size":0,"narOffset":760}}}}}}',
    ],
  ])("lists the %s", async (name, expected) => {
    const fixture = NAR_FIXTURES.find((candidate) => candidate.name === name);
    const root = await fixture?.store(services);
    expect(formatNarListing(await NarLayout.of(services, root ?? SYMLINK_NODE))).toBe(expected);
  });

  it.each<[string, MemoryTree]>([
    ["a name", { type: "directory", entries: [[Uint8Array.of(0x61, 0xff), file("x")]] }],
    [
      "a target",
      {
        type: "directory",
        entries: [[toUtf8("l"), { type: "symlink", target: Uint8Array.of(0xc3) }]],
      },
    ],
    ["the target of the root", { type: "symlink", target: Uint8Array.of(0xed, 0xa0, 0x80) }],
  ])("refuses %s that is not UTF-8", async (_, tree) => {
    const layout = await NarLayout.of(services, await storeTree(services, tree));
    expect(() => formatNarListing(layout)).toThrow(
      expect.objectContaining({ name: "NarListingError", reason: "not-utf8" }),
    );
  });

  it("stops at a length", async () => {
    let node = await storeDirectory(services, { a: SYMLINK_NODE });
    for (let i = 0; i < 40; i++) node = await storeDirectory(services, { a: node, b: node });
    const layout = await NarLayout.of(services, node);
    expect(() => formatNarListing(layout, { maxLength: 100_000 })).toThrow(
      expect.objectContaining({ reason: "too-large" }),
    );
  });
});

/** What a listing says, as plain text in the form of Nix. */
function format(node: ListedNode): string {
  if (node.type === "symlink") return JSON.stringify({ type: "symlink", target: node.target });
  if (node.type === "directory") {
    const entries = [...node.entries].map(
      ([name, child]) => `${JSON.stringify(name)}:${format(child)}`,
    );
    return `{"type":"directory","entries":{${entries.join()}}}`;
  }
  const { size, executable, narOffset } = node;
  return JSON.stringify({
    type: "regular",
    size,
    ...(executable ? { executable } : {}),
    narOffset,
  });
}

describe("parseNarListing()", () => {
  it("reads what was written", async () => {
    await fc.assert(
      fc.asyncProperty(trees, async (tree) => {
        const layout = await NarLayout.of(services, await storeTree(services, tree));
        let text: string;
        try {
          text = formatNarListing(layout);
        } catch (error) {
          expect(error).toMatchObject({ reason: "not-utf8" });
          return;
        }
        const root = parseNarListing(toUtf8(text));
        expect(JSON.parse(`{"version":1,"root":${format(root)}}`)).toEqual(JSON.parse(text));
      }),
      { seed: 110, numRuns: 150 },
    );
    const odd = parseNarListing(toUtf8(ODD_LISTING));
    const names = odd.type === "directory" ? [...odd.entries.keys()] : [];
    expect(names).toHaveLength(12);
    expect(names).toContain("__proto__");
    expect(names.slice(0, 3)).toEqual(["0", "10", "9"]);
  });

  it("takes members in any order, and space", () => {
    const text =
      ' {\n "root" : {"entries":{ "f":{"narOffset":8,"executable":false,"size":0,"type":"regular"}\t},\r"type":"directory"}, "version":1 } ';
    expect(format(parseNarListing(toUtf8(text)))).toBe(
      '{"type":"directory","entries":{"f":{"type":"regular","size":0,"narOffset":8}}}',
    );
    expect(
      parseNarListing(toUtf8('{"version":1,"root":{"type":"regular","size":9007199254740991}}')),
    ).toEqual({
      type: "regular",
      size: Number.MAX_SAFE_INTEGER,
      executable: false,
      narOffset: undefined,
    });
  });

  const withRoot = (root: string) => `{"version":1,"root":${root}}`;
  const withEntry = (name: string) =>
    withRoot(`{"type":"directory","entries":{${name}:{"type":"regular","size":1,"narOffset":8}}}`);
  const nested = (levels: number) =>
    withRoot(
      `${'{"type":"directory","entries":{"d":'.repeat(levels)}{"type":"symlink","target":"t"}${"}}".repeat(levels)}`,
    );

  it.each([
    ["nothing", "", "syntax"],
    ["an array", "[]", "syntax"],
    ["no version", '{"root":{"type":"symlink","target":"t"}}', "missing-field"],
    ["no root", '{"version":1}', "missing-field"],
    ["another version", '{"version":2,"root":{"type":"symlink","target":"t"}}', "version"],
    ["version twice", '{"version":1,"version":1}', "duplicate"],
    ["something else on top", '{"version":1,"roots":{}}', "unknown-field"],
    ["data after the end", `${withRoot('{"type":"symlink","target":"t"}')}x`, "syntax"],
    ["a comma at the end", withRoot('{"type":"symlink","target":"t",}'), "syntax"],
    ["no comma", withRoot('{"type":"symlink" "target":"t"}'), "syntax"],
    ["a comma at the start", withRoot('{,"type":"symlink","target":"t"}'), "syntax"],
    ["a root that is text", withRoot('"x"'), "syntax"],
    ["no type", withRoot("{}"), "missing-field"],
    ["another type", withRoot('{"type":"fifo"}'), "missing-field"],
    ["a file without size", withRoot('{"type":"regular"}'), "missing-field"],
    ["a file with a target", withRoot('{"type":"regular","size":1,"target":"t"}'), "unknown-field"],
    ["a link with a size", withRoot('{"type":"symlink","target":"t","size":1}'), "unknown-field"],
    ["a directory without entries", withRoot('{"type":"directory"}'), "missing-field"],
    [
      "an unknown member",
      withRoot('{"type":"symlink","target":"t","__proto__":1}'),
      "unknown-field",
    ],
    ["a member twice", withRoot('{"type":"symlink","type":"symlink","target":"t"}'), "duplicate"],
    ["entries twice", withRoot('{"type":"directory","entries":{},"entries":{}}'), "duplicate"],
    ["a negative size", withRoot('{"type":"regular","size":-1}'), "syntax"],
    ["a size with a fraction", withRoot('{"type":"regular","size":1.5}'), "syntax"],
    ["a size with an exponent", withRoot('{"type":"regular","size":1e9}'), "syntax"],
    ["a size with a zero before it", withRoot('{"type":"regular","size":01}'), "syntax"],
    ["a size of 2^53", withRoot('{"type":"regular","size":9007199254740992}'), "syntax"],
    ["a size of 2^64", withRoot('{"type":"regular","size":18446744073709551616}'), "syntax"],
    ["a size that is text", withRoot('{"type":"regular","size":"1"}'), "syntax"],
    [
      "executable that is a number",
      withRoot('{"type":"regular","size":1,"executable":1}'),
      "syntax",
    ],
    ["an empty name", withEntry('""'), "name"],
    ["the name ..", withEntry('".."'), "name"],
    ["the name .", withEntry('"\\u002e"'), "name"],
    ["a name with a slash", withEntry('"a\\/b"'), "name"],
    ["a name with NUL", withEntry('"a\\u0000"'), "name"],
    ["a name of 256 bytes", withEntry(`"${"\u00e9".repeat(128)}"`), "name"],
    ["half a character", withEntry('"\\ud800"'), "not-utf8"],
    ["a bad escape", withEntry('"\\x"'), "syntax"],
    ["a string with a line break", withEntry('"a\nb"'), "syntax"],
    [
      "a name that is never closed",
      '{"version":1,"root":{"type":"directory","entries":{"a',
      "syntax",
    ],
    ["a name that is too long to be one", withEntry(`"${"a".repeat(30_000)}"`), "syntax"],
    [
      "a name twice",
      withRoot(
        '{"type":"directory","entries":{"a":{"type":"symlink","target":"t"},"\\u0061":{"type":"symlink","target":"t"}}}',
      ),
      "duplicate",
    ],
    ["an empty target", withRoot('{"type":"symlink","target":""}'), "target"],
    ["a target with NUL", withRoot('{"type":"symlink","target":"\\u0000"}'), "target"],
    [
      "a target of 4096 bytes",
      withRoot(`{"type":"symlink","target":"${"t".repeat(4096)}"}`),
      "target",
    ],
    ["a byte order mark", `\ufeff${withRoot('{"type":"symlink","target":"t"}')}`, "syntax"],
    ["a depth of 65", nested(64), "depth"],
    ["a depth of 100,000", nested(100_000), "depth"],
  ])("refuses %s", (_, text, reason) => {
    const attempt = () => parseNarListing(toUtf8(text));
    expect(attempt).toThrow(NarListingError);
    expect(attempt).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT", reason }));
  });

  it("reads as deep as a NAR may be", () => {
    expect(parseNarListing(toUtf8(nested(63))).type).toBe("directory");
    expect(parseNarListing(toUtf8(nested(10_000)), { maxDepth: 10_001 }).type).toBe("directory");
  });

  it("has limits", () => {
    const bytes = toUtf8(ODD_LISTING);
    const attempt = (limits: object) => () => parseNarListing(bytes, limits);
    expect(attempt({ maxLength: bytes.byteLength, maxEntries: 15 })).not.toThrow();
    expect(attempt({ maxLength: bytes.byteLength - 1 })).toThrow(
      expect.objectContaining({ reason: "too-large" }),
    );
    expect(attempt({ maxEntries: 14 })).toThrow(expect.objectContaining({ reason: "too-large" }));
    expect(() => parseNarListing(Uint8Array.of(0x7b, 0xff))).toThrow(
      expect.objectContaining({ reason: "not-utf8" }),
    );
  });

  it("throws nothing but its own errors, whatever comes", () => {
    const random = new SeededRandom(111);
    const bytes = toUtf8(ODD_LISTING);
    let refused = 0;
    for (let run = 0; run < 10_000; run++) {
      const changed = mutate(bytes, random);
      try {
        parseNarListing(changed);
      } catch (error) {
        refused++;
        if (!(error instanceof NarListingError)) throw new Error(`run ${run}`, { cause: error });
      }
    }
    expect(refused).toBeGreaterThan(7000);
    expect(refused).toBeLessThan(10_000);
  });
});
