import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concatBytes, equalBytes, toHex, toUtf8 } from "../bytes.js";
import { CastoreError } from "../errors.js";
import {
  Directory,
  type DirectoryEntry,
  InvalidDirectoryError,
  type InvalidDirectoryReason,
} from "../nodes/directory.js";
import { directoryNode, equalNodes, fileNode, symlinkNode } from "../nodes/node.js";
import { SymlinkTarget } from "../nodes/symlink-target.js";
import { PathComponent } from "../path/component.js";
import { directories } from "../testing/arbitraries.js";
import { DIRECTORY_FIXTURES, EMPTY_DIGEST } from "../testing/fixtures.js";
import { rawBytesField, rawTag, rawVarint, rawVarintField } from "../testing/raw-protobuf.js";
import { decodeDirectory, encodeDirectory, MAX_DIRECTORY_BYTES } from "./directory-codec.js";
import { directoryDigest } from "./directory-digest.js";

const DIGEST = EMPTY_DIGEST.toBytes();

function name(text: string): Uint8Array {
  return rawBytesField(1, text);
}

const digest = rawBytesField(2, DIGEST);

function dir(...parts: Uint8Array[]): Uint8Array {
  return rawBytesField(1, ...parts);
}

function file(...parts: Uint8Array[]): Uint8Array {
  return rawBytesField(2, ...parts);
}

function link(...parts: Uint8Array[]): Uint8Array {
  return rawBytesField(3, ...parts);
}

function join(...parts: Uint8Array[]): Uint8Array {
  return concatBytes(parts);
}

function refusalOf(bytes: Uint8Array): InvalidDirectoryError {
  try {
    decodeDirectory(bytes);
  } catch (error) {
    if (error instanceof InvalidDirectoryError) return error;
    throw error;
  }
  throw new Error(`Accepted ${toHex(bytes)}`);
}

function expectSame(actual: Directory, expected: Directory): void {
  expect(actual.entries.map((entry) => entry.name.key)).toEqual(
    expected.entries.map((entry) => entry.name.key),
  );
  actual.entries.forEach((entry, i) => {
    expect(equalNodes(entry.node, (expected.entries[i] as DirectoryEntry).node)).toBe(true);
  });
}

describe.each(DIRECTORY_FIXTURES)("golden Directory $name", (fixture) => {
  it("has the known encoding", () => {
    expect(toHex(encodeDirectory(fixture.directory))).toBe(fixture.encoding);
  });

  it("has the known digest", () => {
    const actual = directoryDigest(fixture.directory);
    expect(actual.toHex()).toBe(fixture.digest);
    expect(actual.toString()).toBe(`b3:${fixture.base64}`);
  });

  it("has the known sizes", () => {
    expect(fixture.directory.size("documented")).toBe(fixture.sizes.documented);
    expect(fixture.directory.size("doubled")).toBe(fixture.sizes.doubled);
  });

  it("is decoded again", () => {
    expectSame(decodeDirectory(Buffer.from(fixture.encoding, "hex")), fixture.directory);
  });
});

describe("encodeDirectory()", () => {
  it("leaves no part of a Buffer pool in its result", () => {
    const encoded = encodeDirectory(DIRECTORY_FIXTURES[4]?.directory as Directory);
    expect(Object.getPrototypeOf(encoded)).toBe(Uint8Array.prototype);
    expect(encoded.buffer.byteLength).toBe(encoded.byteLength);
  });

  it.each([
    ["2^53-1", 2n ** 53n - 1n, "18ffffffffffffff0f"],
    ["2^53", 2n ** 53n, "188080808080808010"],
    ["2^64-1", 2n ** 64n - 1n, "18ffffffffffffffffff01"],
  ])("writes a size of %s", (_label, size, expected) => {
    const directory = Directory.fromEntries([
      { name: PathComponent.parse("f"), node: fileNode(EMPTY_DIGEST, size) },
    ]);
    expect(toHex(encodeDirectory(directory)).endsWith(expected)).toBe(true);
  });

  it.each([-1n, 2n ** 64n])("refuses a size of %s that no constructor has seen", (size) => {
    const node = { type: "file", digest: EMPTY_DIGEST, size, executable: false } as const;
    const directory = Directory.fromEntries([{ name: PathComponent.parse("f"), node }]);
    expect(() => encodeDirectory(directory)).toThrow(RangeError);
  });

  it("refuses what would be too long to decode", () => {
    const target = SymlinkTarget.fromBytes(new Uint8Array(4095).fill(0x61));
    const node = symlinkNode(target);
    const count = Math.ceil(MAX_DIRECTORY_BYTES / 4095);
    const entries = Array.from({ length: count }, (_, i) => ({
      name: PathComponent.parse(String(i).padStart(8, "0")),
      node,
    }));
    const directory = Directory.fromSortedEntries(entries);
    expect(() => encodeDirectory(directory)).toThrow(
      expect.objectContaining({ reason: "too-large" }),
    );
  });
});

const REFUSED: readonly [string, InvalidDirectoryReason, Uint8Array][] = [
  // What is not protobuf, or not this message.
  ["half a tag", "malformed", Uint8Array.of(0x8a)],
  ["a tag alone", "malformed", Uint8Array.of(0x0a)],
  ["field number 0", "malformed", join(rawTag(0, 2), Uint8Array.of(0))],
  ["a tag above 32 bits", "malformed", rawVarint(2n ** 32n + 10n)],
  ["a length past the end", "malformed", Uint8Array.of(0x0a, 0x05, 0x0a)],
  ["a length of 2^63", "malformed", join(rawTag(1, 2), rawVarint(2n ** 63n))],
  ["a length of 2^64-1", "malformed", join(rawTag(1, 2), rawVarint(2n ** 64n - 1n))],
  ["a name that runs out of its entry", "malformed", join(dir(Uint8Array.of(0x0a, 0x02)), digest)],
  [
    "a varint that runs out of its entry",
    "malformed",
    join(file(name("a"), digest, Uint8Array.of(0x18, 0x80)), Uint8Array.of(1)),
  ],
  [
    "a varint of 11 bytes",
    "malformed",
    file(name("a"), digest, rawTag(3, 0), new Uint8Array(10).fill(0x80), Uint8Array.of(1)),
  ],
  ["a size above 64 bits", "malformed", file(name("a"), digest, rawVarintField(3, 2n ** 64n))],
  ["a size far above 64 bits", "malformed", file(name("a"), digest, rawVarintField(3, 2n ** 69n))],
  ["a list as a varint", "malformed", rawVarintField(1, 1)],
  ["a name as a varint", "malformed", dir(rawVarintField(1, 1), digest)],
  ["a size as bytes", "malformed", dir(name("a"), digest, rawBytesField(3, "1"))],
  ["a fixed 64-bit size", "malformed", dir(name("a"), digest, rawTag(3, 1), new Uint8Array(8))],
  ["a group", "malformed", join(rawTag(1, 3), rawTag(1, 4))],
  // What protobuf allows and the canonical form does not.
  ["an unknown field", "not-canonical", rawBytesField(4, "")],
  [
    "an unknown field after an entry",
    "not-canonical",
    join(file(name("a"), digest), rawVarintField(15, 1)),
  ],
  ["the unknown field 536870911", "not-canonical", rawBytesField(536870911, "")],
  [
    "an unknown field in a directory",
    "not-canonical",
    dir(name("a"), digest, rawVarintField(4, 1)),
  ],
  ["an unknown field in a file", "not-canonical", file(name("a"), digest, rawVarintField(5, 1))],
  [
    "an unknown field in a link",
    "not-canonical",
    link(name("a"), rawBytesField(2, "t"), rawVarintField(3, 1)),
  ],
  [
    "a tag that is not minimal",
    "not-canonical",
    join(Uint8Array.of(0x92, 0x00), file(name("a"), digest).subarray(1)),
  ],
  [
    "a length that is not minimal",
    "not-canonical",
    join(rawTag(2, 2), rawVarint(37, 1), name("a"), digest),
  ],
  [
    "a name length that is not minimal",
    "not-canonical",
    file(rawTag(1, 2), rawVarint(1, 1), toUtf8("a"), digest),
  ],
  [
    "a size that is not minimal",
    "not-canonical",
    file(name("a"), digest, rawTag(3, 0), rawVarint(5, 1)),
  ],
  [
    "a size of ten bytes that is not minimal",
    "not-canonical",
    file(name("a"), digest, rawTag(3, 0), rawVarint(5, 9)),
  ],
  [
    "a boolean that is not minimal",
    "not-canonical",
    file(name("a"), digest, rawTag(4, 0), rawVarint(1, 1)),
  ],
  [
    "a file before a directory",
    "not-canonical",
    join(file(name("a"), digest), dir(name("b"), digest)),
  ],
  [
    "a link before a file",
    "not-canonical",
    join(link(name("a"), rawBytesField(2, "t")), file(name("b"), digest)),
  ],
  [
    "lists that take turns",
    "not-canonical",
    join(dir(name("a"), digest), file(name("b"), digest), dir(name("c"), digest)),
  ],
  ["a digest before its name", "not-canonical", file(digest, name("a"))],
  ["a size before the digest", "not-canonical", file(name("a"), rawVarintField(3, 1), digest)],
  ["two names", "not-canonical", file(name("a"), name("a"), digest)],
  ["two digests", "not-canonical", file(name("a"), digest, digest)],
  [
    "two sizes",
    "not-canonical",
    file(name("a"), digest, rawVarintField(3, 1), rawVarintField(3, 1)),
  ],
  ["an explicit empty name", "not-canonical", file(name(""), digest)],
  ["an explicit empty digest", "not-canonical", file(name("a"), rawBytesField(2, ""))],
  ["an explicit empty target", "not-canonical", link(name("a"), rawBytesField(2, ""))],
  ["an explicit size of 0", "not-canonical", file(name("a"), digest, rawVarintField(3, 0))],
  [
    "an explicit executable of false",
    "not-canonical",
    file(name("a"), digest, rawVarintField(4, 0)),
  ],
  ["an executable of 2", "not-canonical", file(name("a"), digest, rawVarintField(4, 2))],
  ["an executable of 2^63", "not-canonical", file(name("a"), digest, rawVarintField(4, 2n ** 63n))],
  [
    "an executable of 2^63+1",
    "not-canonical",
    file(name("a"), digest, rawVarintField(4, 2n ** 63n + 1n)),
  ],
  // What is no Directory.
  ["an empty entry", "invalid-name", dir()],
  ["no name", "invalid-name", file(digest)],
  ["the name .", "invalid-name", file(name("."), digest)],
  ["the name ..", "invalid-name", file(name(".."), digest)],
  ["a name with a slash", "invalid-name", dir(name("a/b"), digest)],
  ["a name with a NUL", "invalid-name", link(name("a\0b"), rawBytesField(2, "t"))],
  ["a name of 256 bytes", "invalid-name", file(name("x".repeat(256)), digest)],
  ["no digest", "invalid-node", file(name("a"))],
  ["a digest of 31 bytes", "invalid-node", file(name("a"), rawBytesField(2, DIGEST.subarray(1)))],
  ["a digest of 33 bytes", "invalid-node", dir(name("a"), rawBytesField(2, DIGEST, "x"))],
  ["no target", "invalid-node", link(name("a"))],
  ["a target with a NUL", "invalid-node", link(name("a"), rawBytesField(2, "t\0"))],
  ["a target of 4096 bytes", "invalid-node", link(name("a"), rawBytesField(2, "x".repeat(4096)))],
  ["wrong order in a list", "wrong-sorting", join(dir(name("b"), digest), dir(name("a"), digest))],
  [
    "wrong order of bytes above 7f",
    "wrong-sorting",
    join(file(name("é"), digest), file(name("z"), digest)),
  ],
  [
    "a longer name before its beginning",
    "wrong-sorting",
    join(file(name("ab"), digest), file(name("a"), digest)),
  ],
  [
    "a name twice in a list",
    "duplicate-name",
    join(file(name("a"), digest), file(name("a"), digest)),
  ],
  ["a name in two lists", "duplicate-name", join(dir(name("a"), digest), file(name("a"), digest))],
  [
    "a name in the first and last list",
    "duplicate-name",
    join(dir(name("b"), digest), file(name("a"), digest), link(name("b"), rawBytesField(2, "t"))),
  ],
  [
    "sizes above 64 bits in sum",
    "size-overflow",
    join(
      dir(name("a"), digest, rawVarintField(3, 2n ** 63n)),
      dir(name("b"), digest, rawVarintField(3, 2n ** 63n)),
    ),
  ],
];

describe("decodeDirectory()", () => {
  it.each(REFUSED)("refuses %s as %s", (_label, reason, bytes) => {
    const error = refusalOf(bytes);
    expect(error.reason).toBe(reason);
    expect(CastoreError.is(error, "INVALID_ARGUMENT")).toBe(true);
  });

  it("tells what is wrong, where, and why", () => {
    const error = refusalOf(join(file(name("a"), digest), file(name("b/"), digest)));
    expect(error.message).toBe(
      'Invalid directory: file at byte 41: Invalid name "b/": it contains a slash',
    );
    expect((error.cause as Error).cause).toBeInstanceOf(CastoreError);
    expect(refusalOf(join(file(name("a"), digest), rawBytesField(9, ""))).message).toBe(
      "Invalid directory: unknown field 9 of Directory at byte 39",
    );
  });

  it("takes names of all legal bytes, in byte order", () => {
    const names = Array.from({ length: 256 }, (_, byte) => byte).filter(
      (byte) => byte !== 0 && byte !== 0x2e && byte !== 0x2f,
    );
    const entries = names.map((byte) => ({
      name: PathComponent.fromBytes(Uint8Array.of(byte)),
      node: fileNode(EMPTY_DIGEST, BigInt(byte)),
    }));
    const directory = Directory.fromEntries(entries.toReversed());
    const decoded = decodeDirectory(encodeDirectory(directory));
    expect(decoded.entries.map((entry) => entry.name.toBytes()[0])).toEqual(names);
  });

  it("shares no memory with its input", () => {
    const bytes = file(name("a"), digest, rawVarintField(4, 1));
    const decoded = decodeDirectory(bytes);
    bytes.fill(0xff);
    expect(toHex(encodeDirectory(decoded))).toBe(
      toHex(file(name("a"), digest, rawVarintField(4, 1))),
    );
  });

  it("refuses more entries than asked for, without reading on", () => {
    const bytes = join(file(name("a"), digest), file(name("b"), digest), Uint8Array.of(0xff));
    expect(() => decodeDirectory(bytes, { maxEntries: 1 })).toThrow(
      expect.objectContaining({ reason: "too-many-entries" }),
    );
  });

  it("refuses more bytes than asked for", () => {
    const bytes = file(name("a"), digest);
    expect(() => decodeDirectory(bytes, { maxBytes: bytes.byteLength })).not.toThrow();
    expect(() => decodeDirectory(bytes, { maxBytes: bytes.byteLength - 1 })).toThrow(
      expect.objectContaining({ reason: "too-large" }),
    );
  });

  it("refuses more bytes than the format allows", () => {
    expect(refusalOf(new Uint8Array(MAX_DIRECTORY_BYTES + 1)).reason).toBe("too-large");
  });

  // Merging or checking in quadratic time would take hours, not the seconds a test has.
  it.each(["mixed", "directories", "files", "links"])("takes 100,000 entries (%s)", (kind) => {
    const types = kind === "mixed" ? ["directories", "files", "links"] : [kind];
    const entries = Array.from({ length: 100_000 }, (_, i): DirectoryEntry => {
      const entryName = PathComponent.parse(`entry ${String(i).padStart(6, "0")}`);
      const type = types[i % types.length];
      if (type === "files") return { name: entryName, node: fileNode(EMPTY_DIGEST, BigInt(i)) };
      if (type === "directories") {
        return { name: entryName, node: directoryNode(EMPTY_DIGEST, BigInt(i)) };
      }
      return { name: entryName, node: symlinkNode(SymlinkTarget.parse("..")) };
    });
    const encoded = encodeDirectory(Directory.fromEntries(entries));
    const decoded = decodeDirectory(encoded);
    expect(decoded.entries).toHaveLength(100_000);
    expect(equalBytes(encodeDirectory(decoded), encoded)).toBe(true);
  });
});

describe("codec properties", () => {
  it("decoding gives back what was encoded", () => {
    return fc.assert(
      fc.property(directories(), (directory) => {
        expectSame(decodeDirectory(encodeDirectory(directory)), directory);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it("a changed byte is refused or gives what encodes to the changed bytes", () => {
    return fc.assert(
      fc.property(
        directories(4),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (directory, at, flip) => {
          const bytes = encodeDirectory(directory);
          if (bytes.byteLength === 0) return;
          const position = at % bytes.byteLength;
          bytes[position] = (bytes[position] as number) ^ flip;
          expectAllOrNothing(bytes);
        },
      ),
      { seed: 2, numRuns: 3000 },
    );
  });

  it("a beginning is refused or gives what encodes to that beginning", () => {
    return fc.assert(
      fc.property(directories(4), (directory) => {
        const bytes = encodeDirectory(directory);
        for (let end = 0; end < Math.min(bytes.byteLength, 400); end++) {
          expectAllOrNothing(bytes.subarray(0, end));
        }
      }),
      { seed: 3, numRuns: 60 },
    );
  });

  it("digests tell directories apart", () => {
    return fc.assert(
      fc.property(directories(3), directories(3), (a, b) => {
        const equal = toHex(encodeDirectory(a)) === toHex(encodeDirectory(b));
        expect(directoryDigest(a).equals(directoryDigest(b))).toBe(equal);
      }),
      { seed: 4, numRuns: 100 },
    );
  });
});

function expectAllOrNothing(bytes: Uint8Array): void {
  let decoded: Directory;
  try {
    decoded = decodeDirectory(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidDirectoryError);
    return;
  }
  expect(toHex(encodeDirectory(decoded))).toBe(toHex(bytes));
}
