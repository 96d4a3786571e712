import { createHash } from "node:crypto";
import { B3Digest, concatBytes, directoryNode, fileNode, type Node, toUtf8 } from "@tvix/castore";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { contentAddress } from "../content-address.js";
import { parseNarinfo } from "../narinfo/parse.js";
import type { HashAlgorithm } from "../nix-hash/algorithm.js";
import { NixHash } from "../nix-hash.js";
import { buildStorePath } from "../store-path/build.js";
import { StorePath } from "../store-path/store-path.js";
import { SYMLINK_NODE } from "../testing/nar-fixtures.js";
import { type MemoryTree, referenceNar } from "../testing/nar-reference.js";
import { NIX_PATHS, type NixPath } from "../testing/nix-paths.js";
import { ContentAddressError } from "./content-address-error.js";
import { HashModulo, MAX_SELF_REFERENCES } from "./hash-modulo.js";
import {
  type ContentSource,
  isContentAddressed,
  storePathOfContentAddress,
  verifyContentAddress,
} from "./verify.js";

const DIGEST = B3Digest.fromBytes(new Uint8Array(32));

async function* pieces(bytes: Uint8Array, size = 50): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
}

function source(tree: MemoryTree): ContentSource & { readonly read: string[] } {
  const read: string[] = [];
  return {
    read,
    nar() {
      read.push("nar");
      return pieces(referenceNar(tree));
    },
    file() {
      read.push("file");
      if (tree.type !== "file") throw new Error("not a file");
      return pieces(tree.content);
    },
  };
}

function nodeOf(tree: MemoryTree): Node {
  if (tree.type === "directory") return directoryNode(DIGEST, 1n);
  if (tree.type === "symlink") return SYMLINK_NODE;
  return fileNode(DIGEST, BigInt(tree.content.byteLength), tree.executable);
}

interface Known {
  readonly name: string;
  readonly claim: Parameters<typeof verifyContentAddress>[0];
  readonly tree: MemoryTree;
}

function known({ name, narinfo, tree }: NixPath): readonly Known[] {
  if (tree === undefined) return [];
  return [{ name, tree, claim: { ...parseNarinfo(narinfo), node: nodeOf(tree) } }];
}

const KNOWN = NIX_PATHS.flatMap(known);
const ADDRESSED = KNOWN.filter(({ claim }) => claim.contentAddress !== undefined);

function find(name: string): Known {
  const found = KNOWN.find((path) => path.name === name);
  if (found === undefined) throw new Error(`No path ${name}`);
  return found;
}

const SELF = find("NAR with a reference to itself");
const FLAT = find("file by SHA-256");
const TEXT = find("text with a reference");

describe("verifyContentAddress()", () => {
  it.each(ADDRESSED)("verifies what Nix made: $name", async ({ claim, tree }) => {
    expect(isContentAddressed(claim)).toBe(true);
    await verifyContentAddress(claim, source(tree));
  });

  it.each(["NAR by SHA-256", "NAR with a reference"])("does not read the %s", async (name) => {
    const { claim, tree } = find(name);
    const content = source(tree);
    await verifyContentAddress(claim, content);
    expect(content.read).toEqual([]);
  });

  it.each([
    ["NAR with a reference to itself", "nar"],
    ["NAR by SHA-1", "nar"],
    ["file by SHA-256", "file"],
    ["text", "file"],
  ])("reads the %s once, as %s", async (name, what) => {
    const { claim, tree } = find(name);
    const content = source(tree);
    await verifyContentAddress(claim, content);
    expect(content.read).toEqual([what]);
  });

  it.each(ADDRESSED)("refuses other content: $name", async ({ claim }) => {
    const other: MemoryTree = { type: "file", content: toUtf8("other"), executable: false };
    const changed = { ...claim, narSha256: new Uint8Array(32), node: nodeOf(other) };
    await expect(verifyContentAddress(changed, source(other))).rejects.toMatchObject({
      name: "ContentAddressError",
      reason: "hash",
    });
  });

  it.each(ADDRESSED)("refuses another name: $name", async ({ claim, tree }) => {
    const storePath = StorePath.of(claim.storePath.digestBytes(), "other");
    const references = claim.references.map((reference) =>
      reference.equals(claim.storePath) ? storePath : reference,
    );
    const renamed = { ...claim, storePath, references };
    expect(isContentAddressed(renamed)).toBe(false);
    const content = source(tree);
    await expect(verifyContentAddress(renamed, content)).rejects.toMatchObject({
      reason: "store-path",
    });
    expect(content.read).toEqual([]);
  });

  it.each([SELF, TEXT])("refuses $name without one of its references", async ({ claim, tree }) => {
    for (const left of claim.references) {
      const references = claim.references.filter((reference) => reference !== left);
      await expect(
        verifyContentAddress({ ...claim, references }, source(tree)),
      ).rejects.toMatchObject({ reason: "store-path" });
    }
  });

  it.each(["NAR by SHA-1", "file by SHA-256", "file by MD5", "text with a reference"])(
    "refuses a reference that has no place in the address: %s",
    async (name) => {
      const { claim, tree } = find(name);
      const references = [...claim.references, claim.storePath];
      const changed = { ...claim, references };
      expect(isContentAddressed(changed)).toBe(false);
      await expect(verifyContentAddress(changed, source(tree))).rejects.toMatchObject({
        reason: "references",
      });
    },
  );

  it.each([FLAT, TEXT])("refuses anything but a plain file: $name", async ({ claim, tree }) => {
    for (const node of [nodeOf(SELF.tree), SYMLINK_NODE, fileNode(DIGEST, 5n, true)]) {
      const content = source(tree);
      await expect(verifyContentAddress({ ...claim, node }, content)).rejects.toMatchObject({
        reason: "not-a-file",
      });
      expect(content.read).toEqual([]);
    }
  });

  it("refuses a path without claim", async () => {
    const { claim, tree } = find("output of a derivation");
    expect(claim.contentAddress).toBeUndefined();
    expect(isContentAddressed(claim)).toBe(false);
    await expect(verifyContentAddress(claim, source(tree))).rejects.toMatchObject({
      reason: "absent",
      message: expect.stringMatching(
        /^Cannot verify the content address of \/nix\/store\/.*: it has none$/,
      ),
    });
  });

  it("verifies content that refers to itself unasked, as Nix does", async () => {
    const self = (digest: string): MemoryTree => ({
      type: "file",
      content: toUtf8(`I am ${digest}`),
      executable: false,
    });
    const placeholder = StorePath.of(new Uint8Array(20), "x");
    const hash = new HashModulo("sha256", placeholder)
      .update(referenceNar(self("0".repeat(32))))
      .digest();
    const address = contentAddress("nar", hash);
    const storePath = buildStorePath("x", address);
    const tree = self(storePath.baseName.slice(0, 32));
    const narSha256 = sha256(referenceNar(tree));
    const claim = { storePath, contentAddress: address, references: [], narSha256 };
    await verifyContentAddress({ ...claim, node: nodeOf(tree) }, source(tree));
  });

  it("refuses zeros in the place of a reference to itself (Nix issue 15837)", async () => {
    const digest = SELF.claim.storePath.baseName.slice(0, 32);
    const zeroed = replaceText(referenceNar(SELF.tree), digest, "\0".repeat(32), 1);
    const content = { ...source(SELF.tree), nar: () => pieces(zeroed) };
    await expect(verifyContentAddress(SELF.claim, content)).rejects.toMatchObject({
      reason: "hash",
    });
  });

  it("verifies what Nix 2.17 to 2.34 made only when asked to", async () => {
    const nar = referenceNar(SELF.tree);
    const digest = SELF.claim.storePath.baseName.slice(0, 32);
    // Without positions, the hash is that of the zeroed NAR.
    const address = contentAddress(
      "nar",
      NixHash.of("sha256", sha256(replaceText(nar, digest, "\0".repeat(32), 9))),
    );
    const others = SELF.claim.references.filter((path) => !path.equals(SELF.claim.storePath));
    const storePath = buildStorePath("selfish", address, {
      references: others,
      selfReference: true,
    });
    const moved = replaceText(nar, digest, storePath.baseName.slice(0, 32), 9);
    const claim = {
      ...SELF.claim,
      storePath,
      contentAddress: address,
      references: [...others, storePath],
    };
    const content = { ...source(SELF.tree), nar: () => pieces(moved) };
    await expect(verifyContentAddress(claim, content)).rejects.toBeInstanceOf(ContentAddressError);
    await verifyContentAddress(claim, content, { positions: false });
  });

  it("ends with the reason of its signal", async () => {
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    await expect(verifyContentAddress(SELF.claim, source(SELF.tree), { signal })).rejects.toBe(
      reason,
    );
    await expect(verifyContentAddress(FLAT.claim, source(FLAT.tree), { signal })).rejects.toBe(
      reason,
    );
  });
});

describe("storePathOfContentAddress()", () => {
  it.each(ADDRESSED)("finds the path that Nix gave: $name", ({ claim }) => {
    expect(String(storePathOfContentAddress(claim))).toBe(String(claim.storePath));
    const reversed = [...claim.references].reverse();
    expect(String(storePathOfContentAddress({ ...claim, references: reversed }))).toBe(
      String(claim.storePath),
    );
  });

  it("keeps the reason why references are refused", () => {
    const references = [TEXT.claim.storePath];
    expect(() => storePathOfContentAddress({ ...FLAT.claim, references })).toThrow(
      expect.objectContaining({
        reason: "references",
        cause: expect.objectContaining({ message: expect.stringContaining("no references") }),
      }),
    );
  });
});

describe("HashModulo", () => {
  const self = SELF.claim.storePath;
  const digest = self.baseName.slice(0, 32);

  it.each(["md5", "sha1", "sha256", "sha512"] as const)(
    "is the plain %s of content without references to itself",
    (algorithm) => {
      const bytes = toUtf8("Hello");
      const plain = new Uint8Array(createHash(algorithm).update(bytes).digest());
      expect(new HashModulo(algorithm, self).update(bytes).digest().toBytes()).toEqual(plain);
      const empty = new Uint8Array(createHash(algorithm).digest());
      expect(new HashModulo(algorithm, self).digest().toBytes()).toEqual(empty);
    },
  );

  it("is the hash that Nix computed", () => {
    const hash = new HashModulo("sha256", self).update(referenceNar(SELF.tree)).digest();
    expect(hash.toString()).toBe("sha256:1vr2lamrflw2xhhixhq4qc4h9f9lbv2rffa242i3pr3vphw8yrb4");
  });

  it("is that of zeros and positions, however the bytes are cut", () => {
    const piece = fc.oneof(
      fc.constant(digest),
      fc.nat(31).map((length) => digest.slice(0, length)),
      fc.nat(31).map((start) => digest.slice(start)),
      fc.string({ unit: fc.constantFrom(...digest, "\0"), maxLength: 40 }),
    );
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 10 }),
        fc.integer({ min: 1, max: 100 }),
        fc.constantFrom<HashAlgorithm>("md5", "sha256"),
        (parts, size, algorithm) => {
          const content = parts.join("");
          const hash = new HashModulo(algorithm, self);
          const bytes = toUtf8(content);
          for (let at = 0; at < bytes.length; at += size) {
            hash.update(bytes.subarray(at, at + size));
          }
          const plain = createHash(algorithm).update(content.replaceAll(digest, "\0".repeat(32)));
          for (const { index } of content.matchAll(new RegExp(digest, "g"))) {
            plain.update(`|${index}`);
          }
          expect(hash.digest().toBytes()).toEqual(new Uint8Array(plain.digest()));
        },
      ),
      { seed: 407, numRuns: 300 },
    );
  });

  it("leaves the bytes as they are", () => {
    const bytes = toUtf8(digest);
    new HashModulo("sha256", self).update(bytes).digest();
    expect(bytes).toEqual(toUtf8(digest));
  });

  it("refuses to remember any number of places", () => {
    const many = concatBytes(Array.from({ length: 2 ** 14 }, () => toUtf8(digest)));
    const hash = new HashModulo("sha256", self);
    for (let i = 0; i < MAX_SELF_REFERENCES; i += 2 ** 14) hash.update(many);
    expect(() => hash.update(toUtf8(digest))).toThrow(/more than 1048576 times/);
  });
});

describe("isContentAddressed()", () => {
  it("tells files from NARs", () => {
    const hash = FLAT.claim.contentAddress?.hash as NixHash;
    const as = (method: "flat" | "nar") => ({
      ...FLAT.claim,
      contentAddress: contentAddress(method, hash),
    });
    expect(isContentAddressed(as("flat"))).toBe(true);
    expect(isContentAddressed(as("nar"))).toBe(false);
  });
});

function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(bytes).digest());
}

/** Replaces the first `count` occurrences in bytes that are ASCII where it matters. */
function replaceText(bytes: Uint8Array, from: string, to: string, count: number): Uint8Array {
  let text = Buffer.from(bytes).toString("latin1");
  for (let i = 0; i < count; i++) text = text.replace(from, () => to);
  return new Uint8Array(Buffer.from(text, "latin1"));
}
