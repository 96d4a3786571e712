import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { B3Digest, directoryNode, fileNode, type Node, putBytes, toUtf8 } from "@tvix/castore";
import { LocalStore } from "@tvix/castore/local";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RememberedNarCalculation } from "../nar/remembered-nar-calculation.js";
import { RenderedNarCalculation } from "../nar/rendered-nar-calculation.js";
import { PathInfo } from "../path-info.js";
import { LocalPathInfoService } from "../pathinfoservice/local.js";
import { sha256 } from "../sha256/sha256.js";
import { StorePath } from "../store-path/store-path.js";
import { SYMLINK_NODE, storeDirectory } from "../testing/nar-fixtures.js";
import { LocalNarRoots } from "./local.js";
import { MemoryNarRoots } from "./memory.js";
import { decodeNarRoot, encodeNarRoot } from "./nar-root-codec.js";
import type { NarRoots } from "./nar-roots.js";

const A = sha256(toUtf8("a"));
const B = sha256(toUtf8("b"));

let directory: string;
let local: LocalStore;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "tvix-nar-roots-"));
  local = await LocalStore.open(directory);
});

afterEach(async () => {
  await local.close();
  rmSync(directory, { recursive: true });
});

const KINDS: readonly (readonly [string, () => NarRoots])[] = [
  ["MemoryNarRoots", () => new MemoryNarRoots()],
  ["LocalNarRoots", () => new LocalNarRoots(local)],
];

describe.each(KINDS)("%s", (_, make) => {
  it("knows nothing at first", async () => {
    const roots = make();
    expect(await roots.get(A)).toBeUndefined();
    expect(await roots.getFile(A)).toBeUndefined();
  });

  it("keeps roots and files apart, each under its hash", async () => {
    const roots = make();
    await roots.put(A, { root: SYMLINK_NODE, narSize: 2n ** 63n - 1n });
    await roots.putFile(B, A);
    expect(await roots.get(A)).toEqual({ root: SYMLINK_NODE, narSize: 2n ** 63n - 1n });
    expect(await roots.getFile(B)).toEqual(A);
    expect([await roots.get(B), await roots.getFile(A)]).toEqual([undefined, undefined]);
  });

  it("shares no memory with who asks", async () => {
    const roots = make();
    const narSha256 = new Uint8Array(A);
    await roots.putFile(B, narSha256);
    narSha256.fill(0);
    (await roots.getFile(B))?.fill(0);
    expect(await roots.getFile(B)).toEqual(A);
  });

  it("refuses hashes of another length", async () => {
    const roots = make();
    const short = A.subarray(1);
    const calls = [
      () => roots.get(short),
      () => roots.put(short, { root: SYMLINK_NODE, narSize: 1n }),
      () => roots.getFile(short),
      () => roots.putFile(short, A),
      () => roots.putFile(A, short),
    ];
    for (const call of calls) {
      await expect(call()).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    }
  });

  it("rejects with the reason of a signal", async () => {
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(make().get(A, { signal })).rejects.toThrow("enough");
    const root = { root: SYMLINK_NODE, narSize: 1n };
    await expect(make().put(A, root, { signal })).rejects.toThrow("enough");
  });
});

describe("LocalNarRoots", () => {
  it("is there for later processes, and for others on the same directory", async () => {
    const root = await storeDirectory(local, {});
    await new LocalNarRoots(local).put(A, { root, narSize: 96n });
    await new LocalNarRoots(local).putFile(B, A);
    await local.close();
    const other = await LocalStore.open(directory, { readOnly: true });
    expect(await new LocalNarRoots(other).get(A)).toEqual({ root, narSize: 96n });
    await other.close();
    local = await LocalStore.open(directory);
    expect(await new LocalNarRoots(local).get(A)).toEqual({ root, narSize: 96n });
    expect(await new LocalNarRoots(local).getFile(B)).toEqual(A);
  });

  it("does not know what is not stored any more", async () => {
    const roots = new LocalNarRoots(local);
    const digest = B3Digest.fromBytes(new Uint8Array(32));
    const missing: Node[] = [fileNode(digest, 1n), directoryNode(digest, 0n)];
    for (const root of missing) {
      await roots.put(A, { root, narSize: 1n });
      expect(await roots.get(A)).toBeUndefined();
    }
    const stored = await putBytes(local.blobs, toUtf8("x"));
    const root = fileNode(stored, 1n);
    await roots.put(A, { root, narSize: 112n });
    expect(await roots.get(A)).toEqual({ root, narSize: 112n });
  });

  it("says that what is kept is damaged", async () => {
    const { format } = await import("../nix-hash.js").then(({ NixHash }) => ({
      format: NixHash.of("sha256", A).format("nixbase32"),
    }));
    const roots = new LocalNarRoots(local);
    await local.named("nar-root").put(format, toUtf8("short"));
    await local.named("nar-file").put(format, toUtf8("short"));
    await expect(roots.get(A)).rejects.toMatchObject({ code: "CORRUPT" });
    await expect(roots.getFile(A)).rejects.toMatchObject({ code: "CORRUPT" });
  });
});

describe("LocalNarRoots with path infos", () => {
  const content = toUtf8("Hello World!");
  let calculated: number;
  let pathInfos: LocalPathInfoService;
  let results: Map<string, Uint8Array>;

  beforeEach(() => {
    calculated = 0;
    results = new Map();
    pathInfos = LocalPathInfoService.of(local);
  });

  function roots(): LocalNarRoots {
    const rendered = new RenderedNarCalculation(local);
    const counting = {
      calculateNar: (root: Node) => {
        calculated++;
        return rendered.calculateNar(root);
      },
      remember: async () => {},
    };
    const calculateNar = new RememberedNarCalculation(counting, {
      get: async (key) => results.get(key.join()),
      put: async (key, value) => void results.set(key.join(), value),
    });
    return new LocalNarRoots(local, { pathInfos, calculateNar });
  }

  /** Puts a path info; what it does not say is true. */
  async function publish(
    fields: {
      readonly narSha256?: Uint8Array;
      readonly narSize?: bigint;
      readonly root?: Node;
    } = {},
  ): Promise<{ readonly root: Node; readonly narSha256: Uint8Array }> {
    const root = fields.root ?? fileNode(await putBytes(local.blobs, content), 12n);
    const nar = await new RenderedNarCalculation(local).calculateNar(root);
    const { narSize = nar.narSize, narSha256 = nar.narSha256 } = fields;
    const storePath = StorePath.parse(`${"1".repeat(32)}-x`);
    await pathInfos.put(PathInfo.of({ storePath, node: root, narSize, narSha256 }));
    return { root, narSha256 };
  }

  it("knows the NAR of a path that was put, and computes it once", async () => {
    const { root, narSha256 } = await publish();
    expect(await new LocalNarRoots(local).get(narSha256)).toBeUndefined();
    expect(await roots().get(narSha256)).toEqual({ root, narSize: 128n });
    expect(await roots().get(narSha256)).toEqual({ root, narSize: 128n });
    expect(calculated).toBe(1);
    expect(await roots().get(A)).toBeUndefined();
  });

  it("believes nobody who says that a path has a NAR", async () => {
    await publish({ narSha256: A });
    expect(await roots().get(A)).toBeUndefined();
    const root = fileNode(await putBytes(local.blobs, toUtf8("x")), 1n);
    await roots().put(A, { root, narSize: 112n });
    expect(await roots().get(A)).toEqual({ root, narSize: 112n });
  });

  it("tells the size that the NAR has, whatever was said", async () => {
    const { root, narSha256 } = await publish({ narSize: 5n });
    expect(await roots().get(narSha256)).toEqual({ root, narSize: 128n });
  });

  it("does not keep anybody waiting for what is very large, unless it is remembered", async () => {
    const narSize = 2n ** 40n;
    const { root, narSha256 } = await publish({ narSize });
    expect(await roots().get(narSha256)).toBeUndefined();
    expect(calculated).toBe(0);
    await new RememberedNarCalculation(new RenderedNarCalculation(local), {
      get: async () => undefined,
      put: async (key, value) => void results.set(key.join(), value),
    }).remember(root, { narSize, narSha256 });
    expect(await roots().get(narSha256)).toEqual({ root, narSize });
  });

  it("forgets a path that has another NAR now", async () => {
    const { narSha256 } = await publish();
    await publish({ root: SYMLINK_NODE });
    expect(await roots().get(narSha256)).toBeUndefined();
  });

  it("wants what is not complete to be uploaded again", async () => {
    const root = fileNode(await putBytes(local.blobs, content), 13n);
    await pathInfos.put(
      PathInfo.of({
        ...{ storePath: StorePath.parse(`${"1".repeat(32)}-x`), node: root },
        ...{ narSize: 128n, narSha256: A },
      }),
    );
    expect(await roots().get(A)).toBeUndefined();
    expect(calculated).toBe(1);
  });

  it("ends with the reason of a signal", async () => {
    const { narSha256 } = await publish();
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(roots().get(narSha256, { signal })).rejects.toThrow("enough");
  });
});

describe("decodeNarRoot()", () => {
  it("reads what encodeNarRoot() writes, and nothing that is cut or changed", () => {
    const bytes = encodeNarRoot({ root: SYMLINK_NODE, narSize: 0x0102030405060708n });
    expect([...bytes.subarray(0, 8)]).toEqual([8, 7, 6, 5, 4, 3, 2, 1]);
    expect(decodeNarRoot(bytes)).toEqual({ root: SYMLINK_NODE, narSize: 0x0102030405060708n });
    for (let length = 0; length < bytes.byteLength; length++) {
      expect(() => decodeNarRoot(bytes.subarray(0, length))).toThrow("Cannot read the root");
    }
    expect(() => decodeNarRoot(new Uint8Array([...bytes, 0]))).toThrow("Cannot read the root");
  });
});
