import {
  Directory,
  directoryNode,
  fileNode,
  MemoryBlobService,
  MemoryDirectoryService,
  PathComponent,
  putBytes,
  toUtf8,
} from "@tvix/castore";
import type { Caller, DirectoryItem, DirectorySink } from "@tvix/fuse";
import { ERRNO, ROOT_NODE_ID } from "@tvix/fuse";
import { MemoryPathInfoService, PathInfo, StorePath } from "@tvix/store";
import { describe, expect, it } from "vitest";
import { type NamedNode, storeFileSystem } from "./store-file-system.js";

const CALLER: Caller = { uid: 0, gid: 0, pid: 1, signal: new AbortController().signal };
const STORE_PATH = StorePath.of(new Uint8Array(20).fill(1), "greeting-1.0");
const NAME = PathComponent.parse("hello.txt");

/** Takes all names of a listing. */
class Names implements DirectorySink {
  readonly wantsEntries = false;
  readonly names: string[] = [];

  fits(): boolean {
    return true;
  }

  add({ name }: DirectoryItem): void {
    this.names.push(new TextDecoder().decode(name));
  }
}

/** A store path that is a directory with one file in it. */
async function store() {
  const blobs = new MemoryBlobService();
  const directories = new MemoryDirectoryService();
  const pathInfos = new MemoryPathInfoService();
  const file = fileNode(await putBytes(blobs, toUtf8("hello")), 5n);
  const directory = Directory.fromEntries([{ name: NAME, node: file }]);
  const node = directoryNode(await directories.put(directory), directory.size());
  await pathInfos.put(
    PathInfo.of({ storePath: STORE_PATH, node, narSize: 1n, narSha256: new Uint8Array(32) }),
  );
  return { services: { blobs, directories, pathInfos }, node, file };
}

async function namesIn(services: Parameters<typeof storeFileSystem>[0], shown?: NamedNode) {
  const fileSystem = storeFileSystem(services, shown, { listRoot: shown === undefined });
  const opened = await fileSystem.opendir(ROOT_NODE_ID);
  if (typeof opened === "number") expect(opened).toBe(ERRNO.ENOSYS);
  // What need not be opened is listed by handle 0.
  const handle = typeof opened === "number" ? 0 : opened.handle;
  const sink = new Names();
  await fileSystem.readdir(ROOT_NODE_ID, handle, 0, sink, CALLER);
  return sink.names;
}

describe("storeFileSystem()", () => {
  it("shows all store paths by their base names", async () => {
    const { services } = await store();
    expect(await namesIn(services)).toEqual([".", "..", STORE_PATH.baseName]);
  });

  it("lets nobody list the store unless that is wanted, and finds what is asked for", async () => {
    const { services } = await store();
    const fileSystem = storeFileSystem(services, undefined, {});
    expect(await fileSystem.opendir(ROOT_NODE_ID)).toBe(ERRNO.EPERM);
    const found = await fileSystem.lookup(ROOT_NODE_ID, toUtf8(STORE_PATH.baseName), CALLER);
    expect(found).toMatchObject({ attributes: { mode: 0o040555, size: 1 } });
  });

  it("shows a directory by its content, which can always be listed", async () => {
    const { services, node } = await store();
    const shown = { node, name: PathComponent.parse("ignored") };
    expect(await namesIn(services, shown)).toEqual([".", "..", "hello.txt"]);
  });

  it("shows a file under its name, which can always be listed", async () => {
    const { services, file } = await store();
    const shown = { node: file, name: PathComponent.parse("greeting") };
    expect(await namesIn(services, shown)).toEqual([".", "..", "greeting"]);
  });
});
