/**
 * Blobs, Directories and nodes with their known digests and encodings. They are those of the test
 * fixtures of tvix and snix, and were computed again by an independent program; nothing here is
 * computed by this package.
 */
import { toUtf8 } from "../bytes.js";
import { B3Digest } from "../digest.js";
import { Directory, type DirectorySizeRule } from "../nodes/directory.js";
import { directoryNode, fileNode, type Node, symlinkNode } from "../nodes/node.js";
import { SymlinkTarget } from "../nodes/symlink-target.js";
import { PathComponent } from "../path/component.js";

export interface BlobFixture {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** BLAKE3-256, in hexadecimal. */
  readonly digest: string;
}

export interface DirectoryFixture {
  readonly name: string;
  /** Which rule the sizes in it follow; `undefined` when it has none. */
  readonly rule: DirectorySizeRule | undefined;
  readonly directory: Directory;
  readonly sizes: Readonly<Record<DirectorySizeRule, bigint>>;
  /** BLAKE3-256 of `encoding`, in hexadecimal. */
  readonly digest: string;
  /** The text form of `digest` without its prefix. */
  readonly base64: string;
  /** The canonical encoding, in hexadecimal. */
  readonly encoding: string;
}

export interface NodeFixture {
  readonly name: string;
  readonly node: Node;
  /** The canonical encoding, in base64url without padding. */
  readonly encoding: string;
}

/** Digest of no bytes: the empty blob and the empty Directory. */
export const EMPTY_DIGEST: B3Digest = B3Digest.parse(
  "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
);

/** The bytes 00 to fe, 4096 times over: 1,044,480 bytes, more than one chunk. */
export const BLOB_B: Uint8Array = Uint8Array.from({ length: 255 * 4096 }, (_, i) => i % 255);

export const BLOB_FIXTURES: readonly BlobFixture[] = [
  { name: "empty", bytes: new Uint8Array(0), digest: EMPTY_DIGEST.toHex() },
  {
    name: "Hello World",
    bytes: toUtf8("Hello World"),
    digest: "41f8394111eb713a22165c46c90ab8f0fd9399c92028fd6d288944b23ff5bf76",
  },
  {
    name: "Hello World!",
    bytes: toUtf8("Hello World!"),
    digest: "5ca7815adcb484e9a136c11efe69c1d530176d549b5d18d038eb5280b4b3470c",
  },
  {
    name: "BLOB_A",
    bytes: Uint8Array.of(0, 1),
    digest: "7b7015bb92cf0b318037702a6cdd81dee41224f734684c2c122cd6359cb1ee63",
  },
  {
    name: "BLOB_B",
    bytes: BLOB_B,
    digest: "a82c5154a7a0c262c6fdb929a317585646f8fbcf80326d0a7b8747edaf2d99d2",
  },
  {
    name: "02 to 05",
    bytes: Uint8Array.of(2, 3, 4, 5),
    digest: "024a7fdb2a86c4eae9600a1cfbfd4487ddc15c0a8fa59abfebd6f92bd0031fe5",
  },
  {
    name: "06",
    bytes: Uint8Array.of(6),
    digest: "1c310b6bdadd69991cd4e5dbef96c2638536c32b534e3ed64785846bfcebd206",
  },
  {
    name: "07 08",
    bytes: Uint8Array.of(7, 8),
    digest: "d241b5ab32d2206564b51c8ec05944f6af6d7622c2f607f34c0622223a2b3cd7",
  },
  {
    name: "09 to 0f",
    bytes: Uint8Array.of(9, 10, 11, 12, 13, 14, 15),
    digest: "465ded54852258aadefafc109bac1cb1c1275ad9ac15af4fe9996dff9473f50e",
  },
];

const DIGESTS = {
  A: EMPTY_DIGEST.toHex(),
  WITH_KEEP: "8b5b5d642b646bb8ed504b0862c39413e87e57491497de7bd075953f7b83810e",
  B: "8701f4722d8dae7f2c40fa003331b8437a3825f9e1bfd3a77998c64cc226b9cc",
  C: "78eb200ae0cc95d4ea954655fbcf91e285013a261310e161927f2401d2bca803",
  COMPLICATED: "3f951a15afd586fb3121ef4d13d582e811ce0e5a7f21c0497fd87490e9e2355a",
  COMPLICATED_DOUBLED: "424a7f6ce08d805d15b428062faae96299a1675d708c3a39261afe38cdd04feb",
  D: "99922a5c1801805287a647af73bca0ed7352a5f7f373e54992795bcc4a235213",
  D_DOUBLED: "76cd8b55b37333961c1778ba997e57df92e219926ae5a66c414b810331a77603",
  E: "f71882b0f23c198c0fde9af0fb49d9cb797ce1db3a645fcf2760e955ab605d3e",
  E_DOUBLED: "333c798237cae53a66655761fa232338cc20d1ac45a08e519204eec0bc739103",
} as const;

const KEEP = fileNode(EMPTY_DIGEST, 0n);
const ELSEWHERE = symlinkNode(SymlinkTarget.parse("/nix/store/somewhereelse"));
const COMPLICATED_REST =
  `12290a052e6b6565701220${DIGESTS.A}` +
  "1a1e0a02616112182f6e69782f73746f72652f736f6d657768657265656c7365";

function child(name: keyof typeof DIGESTS, size: bigint): Node {
  return directoryNode(B3Digest.parse(DIGESTS[name]), size);
}

function directory(entries: Readonly<Record<string, Node>>): Directory {
  return Directory.fromEntries(
    Object.entries(entries).map(([name, node]) => ({ name: PathComponent.parse(name), node })),
  );
}

export const DIRECTORY_FIXTURES: readonly DirectoryFixture[] = [
  {
    name: "A",
    rule: undefined,
    directory: Directory.EMPTY,
    sizes: { documented: 0n, doubled: 0n },
    digest: DIGESTS.A,
    base64: "rxNJufX5oaagQE3qNtzJSZvLJcmtwRK3zJqTyuQfMmI=",
    encoding: "",
  },
  {
    name: "WITH_KEEP",
    rule: undefined,
    directory: directory({ ".keep": KEEP }),
    sizes: { documented: 1n, doubled: 2n },
    digest: DIGESTS.WITH_KEEP,
    base64: "i1tdZCtka7jtUEsIYsOUE+h+V0kUl9570HWVP3uDgQ4=",
    encoding: `12290a052e6b6565701220${DIGESTS.A}`,
  },
  {
    name: "B",
    rule: undefined,
    directory: directory({ a: child("A", 0n) }),
    sizes: { documented: 1n, doubled: 2n },
    digest: DIGESTS.B,
    base64: "hwH0ci2Nrn8sQPoAMzG4Q3o4Jfnhv9OneZjGTMImucw=",
    encoding: `0a250a01611220${DIGESTS.A}`,
  },
  {
    name: "C",
    rule: undefined,
    directory: directory({ a: child("A", 0n), "a'": child("A", 0n) }),
    sizes: { documented: 2n, doubled: 4n },
    digest: DIGESTS.C,
    base64: "eOsgCuDMldTqlUZV+8+R4oUBOiYTEOFhkn8kAdK8qAM=",
    encoding: `0a250a01611220${DIGESTS.A}0a260a0261271220${DIGESTS.A}`,
  },
  {
    name: "COMPLICATED",
    rule: "documented",
    directory: directory({ keep: child("WITH_KEEP", 1n), ".keep": KEEP, aa: ELSEWHERE }),
    sizes: { documented: 4n, doubled: 7n },
    digest: DIGESTS.COMPLICATED,
    base64: "P5UaFa/VhvsxIe9NE9WC6BHODlp/IcBJf9h0kOniNVo=",
    encoding: `0a2a0a046b6565701220${DIGESTS.WITH_KEEP}1801${COMPLICATED_REST}`,
  },
  {
    name: "COMPLICATED (doubled)",
    rule: "doubled",
    directory: directory({ keep: child("WITH_KEEP", 2n), ".keep": KEEP, aa: ELSEWHERE }),
    sizes: { documented: 5n, doubled: 8n },
    digest: DIGESTS.COMPLICATED_DOUBLED,
    base64: "Qkp/bOCNgF0VtCgGL6rpYpmhZ11wjDo5Jhr+OM3QT+s=",
    encoding: `0a2a0a046b6565701220${DIGESTS.WITH_KEEP}1802${COMPLICATED_REST}`,
  },
  {
    name: "D",
    rule: "documented",
    directory: directory({ a: child("A", 0n), b: child("B", 1n) }),
    sizes: { documented: 3n, doubled: 5n },
    digest: DIGESTS.D,
    base64: "mZIqXBgBgFKHpkevc7yg7XNSpffzc+VJknlbzEojUhM=",
    encoding: `0a250a01611220${DIGESTS.A}0a270a01621220${DIGESTS.B}1801`,
  },
  {
    name: "D (doubled)",
    rule: "doubled",
    directory: directory({ a: child("A", 0n), b: child("B", 2n) }),
    sizes: { documented: 4n, doubled: 6n },
    digest: DIGESTS.D_DOUBLED,
    base64: "ds2LVbNzM5YcF3i6mX5X35LiGZJq5aZsQUuBAzGndgM=",
    encoding: `0a250a01611220${DIGESTS.A}0a270a01621220${DIGESTS.B}1802`,
  },
  {
    name: "E",
    rule: "documented",
    directory: directory({ d: child("D", 3n) }),
    sizes: { documented: 4n, doubled: 5n },
    digest: DIGESTS.E,
    base64: "9xiCsPI8GYwP3prw+0nZy3l84ds6ZF/PJ2DpVatgXT4=",
    encoding: `0a270a01641220${DIGESTS.D}1803`,
  },
  {
    name: "E (doubled)",
    rule: "doubled",
    directory: directory({ d: child("D_DOUBLED", 6n) }),
    sizes: { documented: 7n, doubled: 8n },
    digest: DIGESTS.E_DOUBLED,
    base64: "Mzx5gjfK5TpmZVdh+iMjOMwg0axFoI5RkgTuwLxzkQM=",
    encoding: `0a270a01641220${DIGESTS.D_DOUBLED}1806`,
  },
];

/**
 * The Directory of that name in {@link DIRECTORY_FIXTURES}.
 *
 * @throws {@link RangeError} when there is none
 */
export function directoryFixture(name: string): DirectoryFixture {
  const found = DIRECTORY_FIXTURES.find((fixture) => fixture.name === name);
  if (found === undefined) throw new RangeError(`No directory fixture "${name}"`);
  return found;
}

/** Closures of the fixtures, leaves first; those by both rules. */
export const CLOSURE_FIXTURES: readonly (readonly string[])[] = [
  ["A"],
  ["WITH_KEEP"],
  ["A", "B"],
  ["A", "C"],
  ["WITH_KEEP", "COMPLICATED"],
  ["WITH_KEEP", "COMPLICATED (doubled)"],
  ["A", "B", "D"],
  ["A", "B", "D (doubled)"],
  ["A", "B", "D", "E"],
  ["A", "B", "D (doubled)", "E (doubled)"],
];

/** Nodes without a name, as they stand in the URLs of NARs. */
export const NODE_FIXTURES: readonly NodeFixture[] = [
  {
    name: "HELLOWORLD",
    node: fileNode(
      B3Digest.parse("5ca7815adcb484e9a136c11efe69c1d530176d549b5d18d038eb5280b4b3470c"),
      12n,
    ),
    encoding: "EiQSIFyngVrctITpoTbBHv5pwdUwF21Um10Y0DjrUoC0s0cMGAw",
  },
  {
    name: "SYMLINK",
    node: ELSEWHERE,
    encoding: "GhoSGC9uaXgvc3RvcmUvc29tZXdoZXJlZWxzZQ",
  },
  {
    name: "COMPLICATED",
    node: child("COMPLICATED", 4n),
    encoding: "CiQSID-VGhWv1Yb7MSHvTRPVgugRzg5afyHASX_YdJDp4jVaGAQ",
  },
  {
    name: "COMPLICATED (doubled)",
    node: child("COMPLICATED_DOUBLED", 8n),
    encoding: "CiQSIEJKf2zgjYBdFbQoBi-q6WKZoWddcIw6OSYa_jjN0E_rGAg",
  },
];
