import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryBlobService, MemoryDirectoryService, toLatin1, toUtf8 } from "@tvix/castore";
import { type IngestServices, ingestPath } from "@tvix/castore/fs";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { formatContentAddress } from "../content-address.js";
import { NarHasher } from "../nar/nar-hasher.js";
import { RenderedNarCalculation } from "../nar/rendered-nar-calculation.js";
import type { Narinfo } from "../narinfo/narinfo.js";
import { parseNarinfo } from "../narinfo/parse.js";
import { PathInfo } from "../path-info.js";
import { MemoryPathInfoService } from "../pathinfoservice/memory.js";
import { StorePath } from "../store-path/store-path.js";
import { SYMLINK_NODE } from "../testing/nar-fixtures.js";
import type { MemoryTree } from "../testing/nar-reference.js";
import { NIX_PATHS } from "../testing/nix-paths.js";
import { type ImportPathOptions, importPath } from "./import-path.js";
import { UnknownReferenceError } from "./publish-source.js";

vi.mock(import("@tvix/castore/fs"), async (importOriginal) => {
  const original = await importOriginal();
  return { ...original, ingestPath: vi.fn(original.ingestPath) };
});

/** What `nix store make-content-addressed` made, and what it holds. */
function madeByNix(name: string): { readonly narinfo: Narinfo; readonly tree: MemoryTree } {
  const { narinfo, tree } = NIX_PATHS.find((path) => path.name === name) ?? {};
  if (narinfo === undefined || tree === undefined) throw new Error(`No path ${name}`);
  return { narinfo: parseNarinfo(narinfo), tree };
}

const REFERRING = madeByNix("NAR with a reference");
const SELFISH = madeByNix("NAR with a reference to itself");
const OTHER = StorePath.parse("8zp962jbwypd6dgbmb5w039dig9z7nd3-text-a");

async function writeTree(path: string, tree: MemoryTree): Promise<void> {
  if (tree.type === "symlink") return await symlink(Buffer.from(tree.target), path);
  if (tree.type === "file") {
    await writeFile(path, tree.content);
    return await chmod(path, tree.executable ? 0o755 : 0o644);
  }
  await mkdir(path);
  for (const [name, child] of tree.entries) await writeTree(join(path, toLatin1(name)), child);
}

describe("importPath() with reference candidates", () => {
  let folder: string;
  let castore: IngestServices;
  let pathInfos: MemoryPathInfoService;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tvix-store-"));
    castore = { blobs: new MemoryBlobService(), directories: new MemoryDirectoryService() };
    pathInfos = new MemoryPathInfoService();
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  /** Makes paths known, of which nothing but their name matters. */
  async function know(...paths: readonly StorePath[]): Promise<void> {
    for (const storePath of paths) {
      const fields = { narSize: 136n, narSha256: new Uint8Array(32) };
      await pathInfos.put(PathInfo.of({ ...fields, storePath, node: SYMLINK_NODE }));
    }
  }

  async function importTree(tree: MemoryTree, options: ImportPathOptions) {
    const path = join(folder, "tree");
    await rm(path, { recursive: true, force: true });
    await writeTree(path, tree);
    return await importTreeAt(path, options);
  }

  async function importTreeAt(path: string, options: ImportPathOptions) {
    const narCalculation = new RenderedNarCalculation(castore);
    return await importPath({ ...castore, pathInfos, narCalculation }, path, options);
  }

  const file = (text: string): MemoryTree => ({
    type: "file",
    content: toUtf8(text),
    executable: false,
  });

  it("gives a tree the path and the references that Nix gives it", async () => {
    const { narinfo, tree } = REFERRING;
    await know(...narinfo.references, OTHER);
    const { pathInfo } = await importTree(tree, {
      name: narinfo.storePath.name,
      referenceCandidates: [OTHER, ...narinfo.references],
    });
    expect(String(pathInfo.storePath)).toBe(String(narinfo.storePath));
    expect(pathInfo.references).toEqual(narinfo.references);
    expect(pathInfo.contentAddress).toEqual(narinfo.contentAddress);
    expect(await pathInfos.get(pathInfo.storePath.digestBytes())).toBe(pathInfo);
  });

  it("lets what came from a path that Nix computed without itself keep that path", async () => {
    const { narinfo, tree } = SELFISH;
    await know(...REFERRING.narinfo.references, REFERRING.narinfo.storePath);
    const { pathInfo } = await importTree(tree, {
      name: narinfo.storePath.name,
      referenceCandidates: [...narinfo.references, OTHER],
    });
    expect(String(pathInfo.storePath)).toBe(String(narinfo.storePath));
    expect(pathInfo.references.map(String)).toEqual(narinfo.references.map(String));
    expect(pathInfo.contentAddress && formatContentAddress(pathInfo.contentAddress)).toBe(
      narinfo.contentAddress && formatContentAddress(narinfo.contentAddress),
    );
  });

  it("shows the NAR once more by other means where these are given", async () => {
    const { narinfo, tree } = SELFISH;
    await know(REFERRING.narinfo.storePath);
    const path = join(folder, "tree");
    await writeTree(path, tree);
    vi.spyOn(castore.blobs, "openRead").mockRejectedValue(new Error("not kept"));
    const { storePath } = await importTreeAt(path, {
      name: narinfo.storePath.name,
      referenceCandidates: narinfo.references,
      async visitNar(visit) {
        await ingestPath(castore, path, { observer: new NarHasher({ onBytes: visit }) });
      },
    });
    expect(String(storePath)).toBe(String(narinfo.storePath));
  });

  it("takes another path of the same name for what it is", async () => {
    const namesake = StorePath.parse("8zp962jbwypd6dgbmb5w039dig9z7nd3-tree");
    await know(namesake);
    const { pathInfo } = await importTree(file(`not ${namesake}`), {
      referenceCandidates: [namesake],
    });
    expect(pathInfo.references).toEqual([namesake]);
    expect(pathInfo.storePath.equals(namesake)).toBe(false);
  });

  it("finds hashes in names and targets, and across the pieces of a file, in order", async () => {
    const paths = ["3", "1", "2", "4"].map((digit) =>
      StorePath.parse(`${digit.repeat(32)}-${digit}`),
    );
    await know(...paths);
    const [inFile, inName, inTarget, nowhere] = paths.map(({ baseName }) => baseName.slice(0, 32));
    const large = new Uint8Array(3 * 1024 * 1024).fill(0x2e);
    large.set(toUtf8(inFile ?? ""), 1024 * 1024 - 7);
    const tree: MemoryTree = {
      type: "directory",
      entries: [
        [toUtf8(`a ${inName}`), { type: "symlink", target: toUtf8(`../${inTarget}`) }],
        [toUtf8("large"), { type: "file", content: large, executable: false }],
        [toUtf8("small"), file((nowhere ?? "").slice(1))],
      ],
    };
    const { pathInfo } = await importTree(tree, { referenceCandidates: paths });
    expect(pathInfo.references.map(({ name }) => name)).toEqual(["1", "2", "3"]);
  });

  it("searches the stored tree where nothing has changed", async () => {
    await know(OTHER);
    const plain = await importTree(file(`see ${OTHER}`), {});
    expect(plain.pathInfo.references).toEqual([]);
    const { node, progress } = plain;
    vi.mocked(ingestPath).mockResolvedValueOnce({ node, observed: false, progress });
    const path = join(folder, "tree");
    const referring = await importTreeAt(path, { referenceCandidates: [OTHER] });
    expect(referring.pathInfo.references).toEqual([OTHER]);
    expect(referring.storePath.equals(plain.storePath)).toBe(false);
  });

  it("refuses what refers to a path that is not known, and publishes nothing", async () => {
    const failure = await importTree(file(`see ${OTHER}`), { referenceCandidates: [OTHER] }).catch(
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(UnknownReferenceError);
    expect(failure).toMatchObject({ code: "MISSING_REFERENCE", reference: OTHER });
    expect(String(failure)).toMatch(/it refers to .*-text-a, which is not in the store$/);
    // Another path with that hash does not count.
    await know(StorePath.parse("8zp962jbwypd6dgbmb5w039dig9z7nd3-text-b"));
    await expect(
      importTree(file(`see ${OTHER}`), { referenceCandidates: [OTHER] }),
    ).rejects.toBeInstanceOf(UnknownReferenceError);
    const names = [];
    for await (const { storePath } of pathInfos.list()) names.push(storePath.name);
    expect(names).toEqual(["text-b"]);
  });

  it("leaves what is known with the same references, in any order, as it is", async () => {
    const others = ["1", "2"].map((digit) => StorePath.parse(`${digit.repeat(32)}-x`));
    await know(...others);
    const tree = file(others.join());
    const options = { referenceCandidates: others };
    const { pathInfo } = await importTree(tree, options);
    const { storePath, node, narSize, narSha256 } = pathInfo;
    const fields = { storePath, node, narSize, narSha256 };
    const reversed = PathInfo.of({ ...fields, references: [...others].reverse() });
    const stored = await pathInfos.put(reversed);
    expect((await importTree(tree, options)).pathInfo).toBe(stored);
    expect(stored.references).toEqual(reversed.references);
    await pathInfos.put(PathInfo.of(fields));
    expect((await importTree(tree, options)).pathInfo.references).toEqual(others);
  });
});
