import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  equalNodes,
  MemoryBlobService,
  MemoryDirectoryService,
  type Node,
  toUtf8,
} from "@tvix/castore";
import { ImportError, ingestPath } from "@tvix/castore/fs";
import { LocalStore } from "@tvix/castore/local";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { formatContentAddress } from "../content-address.js";
import { RememberedNarCalculation } from "../nar/remembered-nar-calculation.js";
import { RenderedNarCalculation } from "../nar/rendered-nar-calculation.js";
import { renderNar } from "../nar/renderer.js";
import { PathInfo } from "../path-info.js";
import { LocalPathInfoService } from "../pathinfoservice/local.js";
import { MemoryPathInfoService } from "../pathinfoservice/memory.js";
import { Signature } from "../signature/signature.js";
import { InvalidStorePathError } from "../store-path/store-path.js";
import { collectBytes, fromHex } from "../testing/bytes.js";
import { NAR_FIXTURES } from "../testing/nar-fixtures.js";
import { type ImportServices, importPath } from "./import-path.js";

vi.mock(import("@tvix/castore/fs"), async (importOriginal) => {
  const original = await importOriginal();
  return { ...original, ingestPath: vi.fn(original.ingestPath) };
});

function memoryServices(): ImportServices {
  const castore = { blobs: new MemoryBlobService(), directories: new MemoryDirectoryService() };
  const narCalculation = new RenderedNarCalculation(castore);
  return { ...castore, pathInfos: new MemoryPathInfoService(), narCalculation };
}

/** Makes the tree of each golden NAR on disk. */
const MAKERS: Readonly<Record<string, (path: string) => Promise<void>>> = {
  symlink: (path) => symlink("/nix/store/somewhereelse", path),
  "hello world": (path) => writeFile(path, "Hello World!"),
  "complicated directory": async (path) => {
    await mkdir(join(path, "keep"), { recursive: true });
    await writeFile(join(path, ".keep"), "");
    await writeFile(join(path, "keep", ".keep"), "");
    await symlink("/nix/store/somewhereelse", join(path, "aa"));
  },
  "empty directory": (path) => mkdir(path),
  "file of one byte 01": (path) => writeFile(path, Uint8Array.of(1)),
  "executable file of one byte 01": async (path) => {
    await writeFile(path, Uint8Array.of(1));
    await chmod(path, 0o755);
  },
  "empty file": (path) => writeFile(path, ""),
};

describe("importPath()", () => {
  let folder: string;
  let services: ImportServices;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tvix-store-"));
    services = memoryServices();
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
    vi.clearAllMocks();
  });

  it.each(NAR_FIXTURES)("gives the $name the store path that Nix gives it", async (fixture) => {
    const path = join(folder, "dummy");
    await MAKERS[fixture.name]?.(path);
    const { storePath, pathInfo } = await importPath(services, path);
    expect(storePath.baseName).toBe(`${fixture.storePathDigest}-dummy`);
    expect(pathInfo.narSize).toBe(fixture.narSize);
    expect(pathInfo.narSha256).toEqual(fromHex(fixture.narSha256));
  });

  it("publishes a path info from which the NAR can be rendered", async () => {
    const path = join(folder, "hello");
    await writeFile(path, "Hello World!");
    const { storePath, node, progress } = await importPath(services, path, { name: "dummy" });
    expect(storePath.baseName).toBe("sql3wa6lmri900p6f08aph1w5mjyh9vs-dummy");
    expect(progress).toEqual({ entries: 1, files: 1, bytes: 12 });
    const stored = await services.pathInfos.get(storePath.digestBytes());
    expect(stored !== undefined && equalNodes(stored.node, node)).toBe(true);
    expect(stored?.references).toEqual([]);
    expect(stored?.contentAddress && formatContentAddress(stored.contentAddress)).toBe(
      "fixed:r:sha256:0h40zg6hakjv951nyhdad7mv9za56m3za5gnpiw5s1hbwcxzdrq3",
    );
    expect(await collectBytes(renderNar(services, node), 1000)).toHaveLength(128);
  });

  it("takes bytes for a path, and drops one slash at its end", async () => {
    await mkdir(join(folder, "dummy"));
    const { storePath } = await importPath(services, toUtf8(join(folder, "dummy/")));
    expect(storePath.baseName).toBe("5w5lnskqzgs64b8k41l18xddlacc9x5n-dummy");
  });

  it.each(["sp ace", "a".repeat(212), "x.drv", ""])("refuses the name %j first", async (name) => {
    const absent = join(folder, "absent");
    await expect(importPath(services, absent, { name })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      isStoreError: true,
    });
    expect(ingestPath).not.toHaveBeenCalled();
  });

  it("refuses a path whose last component is no name before it looks at it", async () => {
    const path = join(folder, "sp ace");
    await expect(importPath(services, path)).rejects.toBeInstanceOf(InvalidStorePathError);
    expect(ingestPath).not.toHaveBeenCalled();
  });

  it("publishes nothing of a path that cannot be read", async () => {
    const failure = await importPath(services, join(folder, "absent")).catch((e: unknown) => e);
    expect(failure).toBeInstanceOf(ImportError);
    await expect(services.pathInfos.list()[Symbol.asyncIterator]().next()).resolves.toMatchObject({
      done: true,
    });
  });

  it("ends with the reason of an aborted signal", async () => {
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    await writeFile(join(folder, "dummy"), "x");
    await expect(importPath(services, join(folder, "dummy"), { signal })).rejects.toBe(reason);
  });

  it("asks for the NAR of a tree that was not read again", async () => {
    await writeFile(join(folder, "dummy"), "Hello World!");
    const first = await importPath(services, join(folder, "dummy"));
    const remember = vi.spyOn(services.narCalculation, "remember");
    const calculateNar = vi.spyOn(services.narCalculation, "calculateNar");
    const { node, progress } = first;
    vi.mocked(ingestPath).mockResolvedValueOnce({ node, observed: false, progress });
    const second = await importPath(services, join(folder, "dummy"));
    expect(second.storePath.equals(first.storePath)).toBe(true);
    expect(calculateNar).toHaveBeenCalledOnce();
    expect(remember).not.toHaveBeenCalled();
  });

  it("remembers the NAR that it saw", async () => {
    const values = new Map<string, Uint8Array>();
    const calculateNar = vi.spyOn(services.narCalculation, "calculateNar");
    const remembered = new RememberedNarCalculation(services.narCalculation, {
      get: async (key) => values.get(key.join()),
      put: async (key, value) => void values.set(key.join(), value),
    });
    await writeFile(join(folder, "dummy"), "Hello World!");
    const { node } = await importPath(
      { ...services, narCalculation: remembered },
      join(folder, "dummy"),
    );
    const { narSize } = await remembered.calculateNar(node);
    expect(narSize).toBe(128n);
    expect(calculateNar).not.toHaveBeenCalled();
  });

  it("leaves a path info of the same content as it is", async () => {
    await writeFile(join(folder, "dummy"), "Hello World!");
    const { pathInfo } = await importPath(services, join(folder, "dummy"));
    const { storePath, node, narSize, narSha256 } = pathInfo;
    const signatures = [Signature.of("key", new Uint8Array(64))];
    const signed = PathInfo.of({ storePath, node, narSize, narSha256, signatures });
    const stored = await services.pathInfos.put(signed);
    const put = vi.spyOn(services.pathInfos, "put");
    const again = await importPath(services, join(folder, "dummy"));
    expect(again.pathInfo).toBe(stored);
    expect(again.pathInfo.signatures).toEqual(signatures);
    expect(put).not.toHaveBeenCalled();
  });

  it("replaces a path info whose root is another", async () => {
    await mkdir(join(folder, "dummy", "inner"), { recursive: true });
    await writeFile(join(folder, "dummy", "inner", "file"), "x");
    const documented = await importPath(services, join(folder, "dummy"));
    const doubled = await importPath(services, join(folder, "dummy"), { sizeRule: "doubled" });
    expect(doubled.storePath.equals(documented.storePath)).toBe(true);
    expect(equalNodes(doubled.node, documented.node)).toBe(false);
    const stored = await services.pathInfos.get(doubled.storePath.digestBytes());
    expect(stored !== undefined && equalNodes(stored.node, doubled.node)).toBe(true);
  });

  it("works with the local store, and finds everything again in it", async () => {
    await MAKERS["complicated directory"]?.(join(folder, "dummy"));
    const data = join(folder, "data");
    const storePath = await withLocalStore(data, async (local) => {
      const imported = await importPath(local, join(folder, "dummy"));
      return imported.storePath;
    });
    expect(storePath.baseName).toBe("js9nc31yaxvxcxdp65nzwgbb2zvj0bl0-dummy");
    await withLocalStore(data, async (local) => {
      const pathInfo = await local.pathInfos.get(storePath.digestBytes());
      const node: Node | undefined = pathInfo?.node;
      const nar = node && (await collectBytes(renderNar(local, node), 10_000));
      expect(nar).toHaveLength(840);
    });
  });

  async function withLocalStore<T>(
    data: string,
    use: (services: ImportServices) => Promise<T>,
  ): Promise<T> {
    await using store = await LocalStore.open(data);
    const { blobs, directories } = store;
    const rendered = new RenderedNarCalculation({ blobs, directories });
    const narCalculation = new RememberedNarCalculation(rendered, store.derived("nar"));
    const pathInfos = new LocalPathInfoService(store.pathInfoRecords, { roots: store });
    return await use({ blobs, directories, pathInfos, narCalculation });
  }
});
