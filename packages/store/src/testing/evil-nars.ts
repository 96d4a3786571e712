/** Archives that must be refused, each with the reason. */
import { concatBytes } from "@tvix/castore";
import type { NarFormatErrorReason } from "../nar/nar-format-error.js";
import {
  directoryNode,
  fileNarNode,
  narDirectory,
  narLength,
  narString,
  narStrings,
  symlinkNarNode,
} from "./nar-strings.js";

/** What is wrong, the archive, the reason it is refused for, and where. */
export type EvilNar = readonly [
  what: string,
  nar: Uint8Array,
  reason: NarFormatErrorReason,
  offset?: number,
];

const MAGIC = "nix-archive-1";
const FILE = fileNarNode("x");
const FILE_BEGIN = narStrings(MAGIC, "(", "type", "regular", "contents");
const GOOD = narStrings(MAGIC, [FILE]);

/** A directory of one entry with that name. */
function named(name: string | Uint8Array): Uint8Array {
  return narDirectory([name, FILE]);
}

function linkTo(target: string | Uint8Array): Uint8Array {
  return narStrings(MAGIC, [symlinkNarNode(target)]);
}

function nested(levels: number): Uint8Array {
  const begin = narStrings("(", "type", "directory", "entry", "(", "name", "d", "node");
  const end = narStrings(")", ")");
  return concatBytes([
    narStrings(MAGIC),
    ...Array.from({ length: levels }, () => begin),
    FILE,
    ...Array.from({ length: levels }, () => end),
  ]);
}

/** Where the name of the first entry begins. */
const FIRST_NAME = 24 + 56 + 48;

const NAMES: readonly EvilNar[] = [
  ["a name that is empty", named(""), "name", FIRST_NAME],
  ["the name .", named("."), "name", FIRST_NAME],
  ["the name ..", named(".."), "name", FIRST_NAME],
  ["a name with a slash", named("a/b"), "name", FIRST_NAME],
  ["a name that climbs", named("../../etc/passwd"), "name", FIRST_NAME],
  ["an absolute name", named("/etc"), "name", FIRST_NAME],
  ["the name /", named("/"), "name", FIRST_NAME],
  ["a name with NUL", named("a\0"), "name", FIRST_NAME],
  ["the name NUL", named("\0"), "name", FIRST_NAME],
  ["a name of 256 bytes", named("n".repeat(256)), "name", FIRST_NAME],
  ["names that descend", narDirectory(["b", FILE], ["a", FILE]), "order", FIRST_NAME + 192],
  ["a name twice", narDirectory(["a", FILE], ["a", FILE]), "duplicate", FIRST_NAME + 192],
  [
    "a name twice, a link and a directory",
    narDirectory(["a", symlinkNarNode("/")], ["a", directoryNode(["b", FILE])]),
    "duplicate",
  ],
  ["a name after what it begins", narDirectory(["ab", FILE], ["a", FILE]), "order"],
  ["names in UTF-16 order", narDirectory(["\u{1f600}", FILE], ["\uff21", FILE]), "order"],
  ["names in signed order", narDirectory([Uint8Array.of(0xff), FILE], ["a", FILE]), "order"],
];

const TARGETS: readonly EvilNar[] = [
  ["a target that is empty", linkTo(""), "target", 24 + 64],
  ["a target with NUL", linkTo("/a\0b"), "target", 24 + 64],
  ["a target of 4096 bytes", linkTo("t".repeat(4096)), "target", 24 + 64],
];

const LENGTHS: readonly EvilNar[] = [
  ...[2n ** 64n - 8n, 2n ** 64n - 1n, 2n ** 63n, 2n ** 53n].map(
    (length): EvilNar => [
      `a file of ${length} bytes`,
      concatBytes([FILE_BEGIN, narStrings(narLength(length), ")")]),
      "file-too-large",
      FILE_BEGIN.byteLength,
    ],
  ),
  [
    "a file of 4 GiB with 10 bytes",
    concatBytes([FILE_BEGIN, narStrings(narLength(2n ** 32n)), new Uint8Array(10)]),
    "unexpected-end",
    FILE_BEGIN.byteLength + 18,
  ],
  [
    "a name of 2^64-8 bytes",
    concatBytes([named("a").subarray(0, FIRST_NAME), narLength(2n ** 64n - 8n)[0]]),
    "name",
    FIRST_NAME,
  ],
  [
    "a target of 2^64-8 bytes",
    concatBytes([linkTo("a").subarray(0, 88), narLength(2n ** 64n - 8n)[0]]),
    "target",
    88,
  ],
  [
    "a word of 2^64-8 bytes",
    narStrings(MAGIC, narLength(2n ** 64n - 8n), [new Uint8Array(100)]),
    "token",
    24,
  ],
];

const WORDS: readonly EvilNar[] = [
  ["nothing at all", new Uint8Array(0), "unexpected-end", 0],
  ["another magic", narStrings("nix-archive-2", [FILE]), "magic", 0],
  ["text", new TextEncoder().encode("<html></html>"), "magic", 0],
  ["a gzip stream", Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3), "magic", 0],
  ["the magic alone", narStrings(MAGIC), "unexpected-end", 24],
  ["no parenthesis", narStrings(MAGIC, "type", "regular", "contents", "", ")"), "token", 24],
  [
    "another word than type",
    narStrings(MAGIC, "(", "kind", "regular", "contents", "", ")"),
    "token",
    40,
  ],
  ["another kind", narStrings(MAGIC, "(", "type", "fifo", "contents", "", ")"), "token", 56],
  [
    "a kind in capitals",
    narStrings(MAGIC, "(", "type", "Regular", "contents", "", ")"),
    "token",
    56,
  ],
  [
    "type twice",
    narStrings(MAGIC, "(", "type", "regular", "type", "symlink", "contents", "", ")"),
    "token",
    72,
  ],
  [
    "a file without contents",
    narStrings(MAGIC, "(", "type", "regular", ")", "", "", "", ""),
    "token",
    72,
  ],
  [
    "contents before executable",
    narStrings(MAGIC, "(", "type", "regular", "contents", "", "executable", "", ")"),
    "token",
  ],
  [
    "an executable marker that is not empty",
    narStrings(MAGIC, "(", "type", "regular", "executable", "x", "contents", "", ")"),
    "token",
    96,
  ],
  [
    "executable twice",
    narStrings(
      MAGIC,
      "(",
      "type",
      "regular",
      "executable",
      "",
      "executable",
      "",
      "contents",
      "",
      ")",
    ),
    "token",
  ],
  ["a link without target", narStrings(MAGIC, "(", "type", "symlink", ")", "", "", ""), "token"],
  [
    "an executable link",
    narStrings(MAGIC, "(", "type", "symlink", "executable", "", "target", "/", ")"),
    "token",
  ],
  [
    "a directory with contents",
    narStrings(MAGIC, "(", "type", "directory", "contents", "", ")", "", ""),
    "token",
  ],
  [
    "an entry without name",
    narStrings(MAGIC, "(", "type", "directory", "entry", "(", "node", [FILE], ")", ")"),
    "token",
  ],
  [
    "an entry with its node first",
    narStrings(
      MAGIC,
      "(",
      "type",
      "directory",
      "entry",
      "(",
      "node",
      [FILE],
      "name",
      "a",
      ")",
      ")",
    ),
    "token",
  ],
  [
    "an entry without node",
    narStrings(MAGIC, "(", "type", "directory", "entry", "(", "name", "a", ")", ")"),
    "token",
  ],
  [
    "an entry that is not closed",
    narStrings(MAGIC, "(", "type", "directory", "entry", "(", "name", "a", "node", [FILE], "entry"),
    "token",
  ],
  [
    "a parenthesis too few",
    GOOD.subarray(0, GOOD.byteLength - 16),
    "unexpected-end",
    GOOD.byteLength - 16,
  ],
  ["a parenthesis too many", narStrings([GOOD], ")"), "trailing-data", GOOD.byteLength],
  [
    "a byte after the end",
    concatBytes([GOOD, new Uint8Array(1)]),
    "trailing-data",
    GOOD.byteLength,
  ],
  ["another archive after the end", concatBytes([GOOD, GOOD]), "trailing-data", GOOD.byteLength],
];

const PADDING: readonly EvilNar[] = [
  ["padding of the magic", concatBytes([narString(MAGIC, 1), FILE]), "magic"],
  [
    "padding of a word",
    narStrings(MAGIC, [narString("(", 1)], "type", "regular", "contents", "", ")"),
    "padding",
    24,
  ],
  [
    "padding of a name",
    narDirectory(["a", FILE]).map((byte, i) => (i === FIRST_NAME + 9 ? 1 : byte)),
    "padding",
    FIRST_NAME + 9,
  ],
  [
    "padding of content",
    concatBytes([FILE_BEGIN, narString("x", 0x20), narStrings(")")]),
    "padding",
    FILE_BEGIN.byteLength + 9,
  ],
  [
    "padding of a target",
    narStrings(MAGIC, "(", "type", "symlink", "target", [narString("/", 0xff)], ")"),
    "padding",
    97,
  ],
];

/** Refused with the limits that hold by default. */
export const EVIL_NARS: readonly EvilNar[] = [
  ...NAMES,
  ...TARGETS,
  ...LENGTHS,
  ...WORDS,
  ...PADDING,
  ["a depth of 65", nested(64), "depth"],
  ["a depth of 10,000", nested(9_999), "depth"],
];

/** As deep as is allowed. */
export const DEEPEST_NAR: Uint8Array = nested(63);
