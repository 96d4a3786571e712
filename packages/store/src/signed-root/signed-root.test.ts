import {
  B3Digest,
  directoryNode,
  fileNode,
  MemoryBlobService,
  MemoryDirectoryService,
  type Node,
  putBytes,
  SymlinkTarget,
  symlinkNode,
  toUtf8,
} from "@tvix/castore";
import { describe, expect, it, vi } from "vitest";
import { contentAddress } from "../content-address.js";
import { RenderedNarCalculation } from "../nar/rendered-nar-calculation.js";
import { narinfoFromPathInfo } from "../narinfo/convert.js";
import { formatNarinfo } from "../narinfo/format.js";
import { parseNarinfo } from "../narinfo/parse.js";
import { NixHash } from "../nix-hash.js";
import { PathInfo, type PathInfoFields } from "../path-info.js";
import { mergePathInfo } from "../pathinfoservice/merge-path-info.js";
import { fingerprint } from "../signature/fingerprint.js";
import { Signature } from "../signature/signature.js";
import { SigningKey } from "../signature/signing-key.js";
import { TrustedKeys } from "../signature/trusted-keys.js";
import { buildStorePath } from "../store-path/build.js";
import { StorePath } from "../store-path/store-path.js";
import { decodePathInfo, encodePathInfo } from "../wire/path-info-codec.js";
import { rootFingerprint } from "./root-fingerprint.js";
import {
  isRootSignature,
  rootKeyName,
  signRoot,
  verifyRoot,
  withRootSignatures,
} from "./root-signature.js";
import { type SignaturePolicy, signatureProblem } from "./signature-policy.js";
import { verifyPathInfo } from "./verify-path-info.js";

const KEY = SigningKey.of("cache.example.org-1", new Uint8Array(32).fill(1));
const OTHER = SigningKey.of("cache.example.org-2", new Uint8Array(32).fill(2));
const TRUSTED = TrustedKeys.of([KEY.publicKey]);
const DIGEST = B3Digest.fromBytes(Uint8Array.from({ length: 32 }, (_, i) => i));
const DIGEST_HEX = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

function path(digit: string, name: string): StorePath {
  return StorePath.parse(`${digit.repeat(32)}-${name}`);
}

const FIELDS = {
  storePath: path("1", "hello-1.0"),
  node: directoryNode(DIGEST, 7n),
  narSha256: new Uint8Array(32).fill(0xab),
  narSize: 1234n,
  references: [path("3", "b"), path("1", "hello-1.0"), path("2", "a")],
};

function pathInfo(changes: Partial<PathInfoFields> = {}): PathInfo {
  return PathInfo.of({ ...FIELDS, ...changes });
}

function signed(changes: Partial<PathInfoFields> = {}, key: SigningKey = KEY): PathInfo {
  return withRootSignatures(pathInfo(changes), [key]);
}

describe("signRoot()", () => {
  // The vectors of docs/formats/signed-root.md.
  it.each<[string, Node, string, string]>([
    [
      "a directory",
      directoryNode(DIGEST, 7n),
      `directory;${DIGEST_HEX};7`,
      "GUgHyTapBXh/Z4U1xXFR+KDh0u4yuiXLYVHRLRHiNV6ZRdG/p/hBc95HCqqCd7JMPwckbg0byyRkIxH4LILYCA==",
    ],
    [
      "a file",
      fileNode(DIGEST, 5n),
      `regular;${DIGEST_HEX};5`,
      "8eNk74/tKxiCMtty7kPz8E/vW1kk2JFCuqsn4X/Co2H2wTsWlksPshPjturcDbeZNr0k+u1ImOkOj2wxqu4MAQ==",
    ],
    [
      "a program",
      fileNode(DIGEST, 5n, true),
      `executable;${DIGEST_HEX};5`,
      "2r+GmJAbgJfiysQoS6LFv+TqZq6VkScgxVnF3I8yfS1XyTFuMm4HxccdbV+H3ykac7EIcH6xEGzHto0Eb6jABA==",
    ],
    [
      "a symbolic link",
      symlinkNode(SymlinkTarget.parse("a;b,c")),
      "symlink;613b622c63;5",
      "DZrIEnrJwcfxlxhwxugzzbEdbsfzrUG8sbgAJRLKuxKgsHGVZwPPCXcDMMx0kiehaXgxvCJtda3ghdaiRHZgAQ==",
    ],
  ])("signs %s as documented", (_, node, described, signature) => {
    const facts = pathInfo({ node });
    expect(rootFingerprint(facts)).toBe(
      [
        "castore-root-1;/nix/store/11111111111111111111111111111111-hello-1.0;",
        described,
        ";sha256:1axbmfmspaxbmfmspaxbmfmspaxbmfmspaxbmfmspaxbmfmspaxb;1234;",
        "/nix/store/11111111111111111111111111111111-hello-1.0,",
        "/nix/store/22222222222222222222222222222222-a,",
        "/nix/store/33333333333333333333333333333333-b",
      ].join(""),
    );
    expect(signRoot(facts, KEY).format()).toBe(`castore-root-1.cache.example.org-1:${signature}`);
    expect(verifyRoot(TRUSTED, signed({ node }))).toHaveLength(1);
  });

  it("does not depend on the order of references, nor on how often they are named", () => {
    const [b, self, a] = FIELDS.references as [StorePath, StorePath, StorePath];
    const { signatures } = signed();
    for (const references of [
      [a, b, self],
      [self, b, a, b],
    ]) {
      expect(verifyRoot(TRUSTED, pathInfo({ references, signatures }))).toHaveLength(1);
    }
  });
});

describe("verifyRoot()", () => {
  it.each<[string, Partial<PathInfoFields>]>([
    ["digest of the store path", { storePath: path("2", "hello-1.0") }],
    ["name of the store path", { storePath: path("1", "hello-1.1") }],
    ["digest of the root", { node: directoryNode(B3Digest.fromBytes(new Uint8Array(32)), 7n) }],
    ["size of the root", { node: directoryNode(DIGEST, 8n) }],
    ["type of the root", { node: fileNode(DIGEST, 7n) }],
    ["executable bit of the root", { node: fileNode(DIGEST, 7n, true) }],
    ["root, for a symbolic link", { node: symlinkNode(SymlinkTarget.parse("x")) }],
    ["NAR hash", { narSha256: new Uint8Array(32) }],
    ["NAR size", { narSize: 1235n }],
    ["references, fewer", { references: FIELDS.references.slice(1) }],
    ["references, more", { references: [...FIELDS.references, path("4", "c")] }],
    ["references, none", { references: [] }],
  ])("refuses another %s", (_, changes) => {
    const { signatures } = signed();
    expect(verifyRoot(TRUSTED, pathInfo({ signatures }))).toHaveLength(1);
    expect(verifyRoot(TRUSTED, pathInfo({ ...changes, signatures }))).toEqual([]);
  });

  it("tells files by their executable bit, and links by their target", () => {
    const nodes = [
      fileNode(DIGEST, 7n),
      fileNode(DIGEST, 7n, true),
      directoryNode(DIGEST, 7n),
      symlinkNode(SymlinkTarget.parse("x")),
      symlinkNode(SymlinkTarget.parse("y")),
      symlinkNode(SymlinkTarget.parse(DIGEST_HEX)),
    ];
    for (const node of nodes) {
      const { signatures } = signed({ node });
      const believed = nodes.filter(
        (other) => verifyRoot(TRUSTED, pathInfo({ node: other, signatures })).length > 0,
      );
      expect(believed).toEqual([node]);
    }
  });

  it("refuses every change of a bit of the signature", () => {
    const [signature] = signed().signatures as [Signature];
    for (let bit = 0; bit < 512; bit += 7) {
      const bytes = signature.toBytes();
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
      const signatures = [Signature.of(signature.keyName, bytes)];
      expect(verifyRoot(TRUSTED, pathInfo({ signatures }))).toEqual([]);
    }
  });

  it("refuses strangers, and who goes by the name of a trusted key", () => {
    const namesake = SigningKey.of(KEY.keyName, new Uint8Array(32).fill(9));
    expect(verifyRoot(TRUSTED, signed({}, OTHER))).toEqual([]);
    expect(verifyRoot(TRUSTED, signed({}, namesake))).toEqual([]);
    const { signatures } = withRootSignatures(pathInfo(), [OTHER, namesake, KEY]);
    expect(verifyRoot(TRUSTED, pathInfo({ signatures }))).toEqual([signatures[2]]);
  });

  it("leaves versions aside that it does not know", () => {
    const bytes = KEY.signText(rootFingerprint(pathInfo())).toBytes();
    for (const version of ["2", "10", "01", "", "1x"]) {
      const signature = Signature.of(`castore-root-${version}.${KEY.keyName}`, bytes);
      expect(rootKeyName(signature)).toBeUndefined();
      expect(verifyRoot(TRUSTED, pathInfo({ signatures: [signature] }))).toEqual([]);
    }
    const later = Signature.of(`castore-root-2.${KEY.keyName}`, bytes);
    const { signatures } = withRootSignatures(pathInfo({ signatures: [later] }), [KEY]);
    expect(verifyRoot(TRUSTED, pathInfo({ signatures }))).toHaveLength(1);
    expect(isRootSignature(later)).toBe(true);
  });
});

describe("root signatures and those of NARs", () => {
  it("are not taken for each other, whatever they are called", () => {
    const ofNar = KEY.sign(pathInfo()).toBytes();
    const ofRoot = signRoot(pathInfo(), KEY).toBytes();
    const marked = `castore-root-1.${KEY.keyName}`;
    const strange = SigningKey.of(marked, new Uint8Array(32).fill(1));
    const keys = TrustedKeys.of([KEY.publicKey, strange.publicKey]);
    for (const name of [KEY.keyName, marked, `castore-root-1.${marked}`]) {
      const asRoot = pathInfo({ signatures: [Signature.of(name, ofNar)] });
      expect(verifyRoot(keys, asRoot)).toEqual([]);
      const asNar = pathInfo({ signatures: [Signature.of(name, ofRoot)] });
      expect(keys.verify(asNar)).toEqual([]);
    }
  });

  it("have texts that begin in different ways", () => {
    expect(rootFingerprint(pathInfo()).startsWith("castore-root-1;")).toBe(true);
    expect(fingerprint(pathInfo()).startsWith("1;")).toBe(true);
  });

  it("are kept side by side in a path info, and only the others in a narinfo", () => {
    const both = withRootSignatures(pathInfo({ signatures: [KEY.sign(pathInfo())] }), [KEY]);
    const decoded = decodePathInfo(encodePathInfo(both));
    expect(decoded.signatures).toEqual(both.signatures);
    expect(verifyRoot(TRUSTED, decoded)).toHaveLength(1);
    expect(TRUSTED.verify(decoded)).toHaveLength(1);
    const options = { url: "nar/x.nar", compression: "none", fileSize: 1n };
    const fileHash = NixHash.of("sha256", new Uint8Array(32));
    const narinfo = narinfoFromPathInfo(both, { ...options, fileHash });
    expect(narinfo.signatures.map(({ keyName }) => keyName)).toEqual([KEY.keyName]);
  });

  it("do no harm in the narinfo of a server that does not know them", () => {
    const options = { url: "nar/x.nar", compression: "none", fileSize: 1n };
    const fileHash = NixHash.of("sha256", new Uint8Array(32));
    const narinfo = narinfoFromPathInfo(pathInfo(), { ...options, fileHash });
    const { signatures } = signed();
    const read = parseNarinfo(formatNarinfo({ ...narinfo, signatures }));
    expect(read.signatures).toEqual(signatures);
    // What tvix allows in the name of a key; it refuses the whole narinfo otherwise.
    expect(signatures.every(({ keyName }) => /^[a-zA-Z0-9.-]+$/.test(keyName))).toBe(true);
    expect(signatureProblem(read, { trustedKeys: TRUSTED })).toMatch(/is by a trusted key/);
  });

  it("of another root are not kept when a path info is replaced", () => {
    const known = withRootSignatures(pathInfo({ signatures: [KEY.sign(pathInfo())] }), [KEY]);
    const other = pathInfo({ node: directoryNode(DIGEST, 8n) });
    expect(mergePathInfo(known, other).signatures).toEqual([known.signatures[0]]);
    expect(mergePathInfo(known, pathInfo()).signatures).toEqual(known.signatures);
  });
});

describe("withRootSignatures()", () => {
  it("adds what is missing, once", () => {
    const once = withRootSignatures(pathInfo(), [KEY, OTHER]);
    expect(once.signatures.map(rootKeyName)).toEqual([KEY.keyName, OTHER.keyName]);
    expect(withRootSignatures(once, [OTHER, KEY])).toBe(once);
    const wrong = Signature.of(`castore-root-1.${KEY.keyName}`, new Uint8Array(64));
    const righted = withRootSignatures(pathInfo({ signatures: [wrong] }), [KEY]);
    expect(verifyRoot(TRUSTED, righted)).toHaveLength(1);
  });
});

describe("signatureProblem()", () => {
  const any: SignaturePolicy = { trustedKeys: TRUSTED };
  const root: SignaturePolicy = { trustedKeys: TRUSTED, require: "root" };
  const ofNar = pathInfo({ signatures: [KEY.sign(pathInfo())] });
  const address = contentAddress("nar", NixHash.of("sha256", FIELDS.narSha256));
  const proving = { storePath: buildStorePath("x", address), contentAddress: address };

  it.each<[string, PathInfo, string | undefined, string | undefined]>([
    ["nothing", pathInfo(), "it has no signature", "it has no root signature"],
    ["the NAR", ofNar, undefined, "it has no root signature"],
    ["the root", signed(), undefined, undefined],
    [
      "the root, by a stranger",
      signed({}, OTHER),
      "none of its signatures (cache.example.org-2) is by a trusted key",
      "none of its root signatures (cache.example.org-2) is by a trusted key",
    ],
    [
      "nothing, and the path follows from its content",
      pathInfo({ ...proving, references: [] }),
      undefined,
      "it has no root signature",
    ],
  ])("when %s is signed", (_, claim, ofAny, ofRoot) => {
    expect(signatureProblem(claim, any)).toBe(ofAny);
    expect(signatureProblem(claim, root)).toBe(ofRoot);
    expect(signatureProblem(claim, "accept-unsigned")).toBeUndefined();
  });

  it("has no root to believe in where there is none", () => {
    const { storePath, narSha256, narSize, references, signatures } = signed();
    const claim = { storePath, narSha256, narSize, references, signatures };
    expect(signatureProblem(claim, root)).toMatch(/nothing about a root/);
    expect(signatureProblem(claim, any)).toMatch(/is by a trusted key/);
  });
});

describe("verifyPathInfo()", () => {
  async function content(text: string) {
    const castore = { blobs: new MemoryBlobService(), directories: new MemoryDirectoryService() };
    const digest = await putBytes(castore.blobs, toUtf8(text));
    const node = fileNode(digest, BigInt(text.length));
    const narCalculation = new RenderedNarCalculation(castore);
    const nar = await narCalculation.calculateNar(node);
    const calculate = vi.spyOn(narCalculation, "calculateNar");
    return { proof: { ...castore, narCalculation }, fields: { node, ...nar }, calculate };
  }
  const any: SignaturePolicy = { trustedKeys: TRUSTED };

  it("reads nothing where a trusted key vouches for the root", async () => {
    const { proof, fields, calculate } = await content("hello");
    for (const policy of [any, { trustedKeys: TRUSTED, require: "root" } as const]) {
      expect(await verifyPathInfo(signed(fields), policy, proof)).toBe("root-signature");
    }
    expect(await verifyPathInfo(pathInfo(fields), "accept-unsigned", proof)).toBe("none");
    expect(calculate).not.toHaveBeenCalled();
  });

  it("computes the NAR where only that is signed", async () => {
    const { proof, fields } = await content("hello");
    const ofNar = KEY.sign(pathInfo(fields));
    const honest = pathInfo({ ...fields, signatures: [ofNar] });
    expect(await verifyPathInfo(honest, any, proof)).toBe("content");
    const { node } = (await content("hullo")).fields;
    await putBytes(proof.blobs, toUtf8("hullo"));
    const lie = pathInfo({ ...fields, node, signatures: [ofNar, signRoot(honest, KEY)] });
    await expect(verifyPathInfo(lie, any, proof)).rejects.toMatchObject({ code: "CORRUPT" });
  });

  it("refuses what nobody has signed", async () => {
    const { proof, fields, calculate } = await content("hello");
    await expect(verifyPathInfo(signed(fields, OTHER), any, proof)).rejects.toMatchObject({
      code: "PERMISSION_DENIED",
    });
    expect(calculate).not.toHaveBeenCalled();
  });

  it("refuses content of another address than the path", async () => {
    const { proof, fields } = await content("hello");
    const address = contentAddress("flat", NixHash.of("sha256", new Uint8Array(32)));
    const claim = { ...fields, storePath: buildStorePath("x", address), contentAddress: address };
    await expect(
      verifyPathInfo(pathInfo({ ...claim, references: [] }), any, proof),
    ).rejects.toMatchObject({ name: "ContentAddressError" });
  });
});
