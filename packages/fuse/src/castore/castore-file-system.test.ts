import {
  type B3Digest,
  concatBytes,
  Directory,
  type DirectoryEntry,
  DirectoryRootNodes,
  directoryNode,
  fileNode,
  MemoryBlobService,
  MemoryDirectoryService,
  type Node,
  PathComponent,
  type RootNodes,
  SymlinkTarget,
  symlinkNode,
  toLatin1,
  toUtf8,
} from "@tvix/castore";
import {
  directoryOf,
  expectSameBytes,
  Faults,
  FaultyBlobService,
  faultyDirectories,
  NOWHERE,
  nodeOf,
  seededBytes,
} from "@tvix/castore/testing";
import { beforeEach, describe, expect, it } from "vitest";
import { ERRNO } from "../errno.js";
import { FILE_TYPE, ROOT_NODE_ID } from "../file-system.js";
import { CALLER, FileSystemClient } from "../testing/file-system-client.js";
import { ListingSink } from "../testing/listing-sink.js";
import { CastoreFileSystem, type CastoreFileSystemOptions } from "./castore-file-system.js";
import { DIGEST_ATTRIBUTES } from "./digest-attributes.js";
import { FOREVER_SECONDS } from "./node-entries.js";
import { rootOfNode } from "./root.js";

const TEXT = toUtf8("hello, world\n");
const UNKNOWN_NODE_ID = 12_345;

let blobs: MemoryBlobService;
let directories: MemoryDirectoryService;
let faults: Faults;

beforeEach(() => {
  blobs = new MemoryBlobService();
  directories = new MemoryDirectoryService();
  faults = new Faults();
});

/** Stores a Directory and those that were stored for it. */
async function putDirectory(entries: Readonly<Record<string, Node>>): Promise<Node> {
  const directory = directoryOf(entries);
  await directories.put(directory);
  return nodeOf(directory);
}

async function putFile(content: Uint8Array, executable = false): Promise<Node> {
  return fileNode(await blobs.put([content]), BigInt(content.byteLength), executable);
}

function link(target: string): Node {
  return symlinkNode(SymlinkTarget.parse(target));
}

function fileSystem(root: RootNodes | B3Digest, options?: CastoreFileSystemOptions) {
  const files = new CastoreFileSystem(
    {
      root,
      blobs: new FaultyBlobService(blobs, faults),
      directories: faultyDirectories(directories, faults),
    },
    options,
  );
  return { files, client: new FileSystemClient(files) };
}

function digestOf(node: Node): B3Digest {
  if (node.type === "symlink") throw new TypeError("a symlink has no digest");
  return node.digest;
}

/** A file system whose root is a Directory with these entries. */
async function mounted(
  entries: Readonly<Record<string, Node>>,
  options?: CastoreFileSystemOptions,
) {
  return fileSystem(digestOf(await putDirectory(entries)), options);
}

function rootsOf(entries: Readonly<Record<string, Node>>): RootNodes {
  return DirectoryRootNodes.of(directoryOf(entries));
}

function names(items: readonly { readonly item: { readonly name: Uint8Array } }[]): string[] {
  return items.map(({ item }) => toLatin1(item.name));
}

describe("lookup()", () => {
  it("gives files, executables, symlinks and directories with their attributes", async () => {
    const file = await putFile(TEXT);
    const { client } = await mounted({
      plain: file,
      tool: { ...file, executable: true } as Node,
      link: link("../else where"),
      empty: await putDirectory({}),
      tree: await putDirectory({ a: file, b: await putDirectory({}), c: await putDirectory({}) }),
    });
    const common = { uid: 0, gid: 0, mtime: 1 };
    expect((await client.walk("plain")).attributes).toMatchObject({
      ...common,
      mode: FILE_TYPE.REGULAR | 0o444,
      size: TEXT.byteLength,
      nlink: 1,
    });
    expect((await client.walk("tool")).attributes).toMatchObject({
      mode: FILE_TYPE.REGULAR | 0o555,
      nlink: 1,
    });
    expect((await client.walk("link")).attributes).toMatchObject({
      ...common,
      mode: FILE_TYPE.SYMLINK | 0o777,
      size: 13,
      nlink: 1,
    });
    expect((await client.walk("empty")).attributes).toMatchObject({
      ...common,
      mode: FILE_TYPE.DIRECTORY | 0o555,
      size: 0,
      nlink: 2,
    });
    expect((await client.walk("tree")).attributes).toMatchObject({ size: 3, nlink: 4 });
  });

  it("lets files belong to whom they are to belong", async () => {
    const entries = { file: await putFile(TEXT) };
    const { client } = await mounted(entries, { owner: { uid: 1000, gid: 100 } });
    const owner = { uid: 1000, gid: 100 };
    expect((await client.walk("file")).attributes).toMatchObject(owner);
    expect((await client.getattr(ROOT_NODE_ID)).attributes).toMatchObject(owner);
  });

  it("is valid for good, also where there is nothing", async () => {
    const { client, files } = await mounted({ file: await putFile(TEXT) });
    expect((await client.walk("file")).validSeconds).toBe(FOREVER_SECONDS);
    await client.getattr(ROOT_NODE_ID);
    await client.list(ROOT_NODE_ID);
    expect(files.lookup(ROOT_NODE_ID, toUtf8("none"), CALLER)).toEqual({
      nodeId: 0,
      generation: 0,
      attributes: undefined,
      validSeconds: FOREVER_SECONDS,
    });
  });

  it("answers at once where the Directory is at hand", async () => {
    const { client, files } = await mounted({
      file: await putFile(TEXT),
      directory: await putDirectory({}),
    });
    expect(files.lookup(ROOT_NODE_ID, toUtf8("file"), CALLER)).toBeInstanceOf(Promise);
    await client.walk("directory");
    expect(files.lookup(ROOT_NODE_ID, toUtf8("file"), CALLER)).not.toBeInstanceOf(Promise);
    expect(files.lookup(ROOT_NODE_ID, toUtf8("directory"), CALLER)).not.toBeInstanceOf(Promise);
  });

  it("gives one inode to equal files, and another to an executable copy", async () => {
    const file = await putFile(TEXT);
    const executable = { ...file, executable: true } as Node;
    const { client } = await mounted({ a: file, b: file, c: executable });
    const [a, b, c] = [await client.walk("a"), await client.walk("b"), await client.walk("c")];
    expect(b).toEqual(a);
    expect(c?.nodeId).not.toBe(a?.nodeId);
    expect(c?.attributes?.ino).not.toBe(a?.attributes?.ino);
  });

  it("tells a link from a file that reads like its target", async () => {
    const { client } = await mounted({
      file: await putFile(toUtf8("target")),
      link: link("target"),
    });
    const [file, other] = [await client.walk("file"), await client.walk("link")];
    expect(other?.attributes?.ino).not.toBe(file?.attributes?.ino);
  });

  it("gives equal directories an inode each, and both can be used", async () => {
    const twin = await putDirectory({ file: await putFile(TEXT), deep: await putDirectory({}) });
    const { client } = await mounted({
      one: twin,
      two: twin,
      wrap: await putDirectory({ one: twin }),
    });
    const all = [
      await client.walk("one"),
      await client.walk("two"),
      await client.walk("wrap", "one"),
    ];
    expect(new Set(all.map(({ nodeId }) => nodeId)).size).toBe(3);
    expect(new Set(all.map(({ attributes }) => attributes?.ino)).size).toBe(3);
    for (const { nodeId } of all) {
      expect(names(await client.list(nodeId))).toEqual([".", "..", "deep", "file"]);
      expect((await client.lookup(nodeId, "file")).attributes?.size).toBe(TEXT.byteLength);
    }
    const deep = await Promise.all(all.map(({ nodeId }) => client.lookup(nodeId, "deep")));
    expect(new Set(deep.map(({ nodeId }) => nodeId)).size).toBe(3);
  });

  it("gives the same inode numbers in every mount", async () => {
    const inner = await putDirectory({ file: await putFile(TEXT), link: link("x") });
    const numbers = async (): Promise<unknown[]> => {
      const { client } = await mounted({ a: inner, b: inner });
      const paths = [["a"], ["b"], ["a", "file"], ["b", "link"]];
      return Promise.all(paths.map(async (path) => (await client.walk(...path)).attributes?.ino));
    };
    expect(await numbers()).toEqual(await numbers());
  });

  it.each([
    ["an unknown parent", UNKNOWN_NODE_ID, "file", ERRNO.ENOENT],
    ["the name of the directory itself", ROOT_NODE_ID, ".", ERRNO.ENOENT],
    ["the name of the directory above", ROOT_NODE_ID, "..", ERRNO.ENOENT],
    ["a name with a slash", ROOT_NODE_ID, "a/b", ERRNO.ENOENT],
    ["no name", ROOT_NODE_ID, "", ERRNO.ENOENT],
    ["a name of 256 bytes", ROOT_NODE_ID, "x".repeat(256), ERRNO.ENAMETOOLONG],
  ])("refuses %s", async (_, parent, name, errno) => {
    const { client } = await mounted({ file: await putFile(TEXT) });
    await expect(client.lookup(parent, name)).rejects.toMatchObject({ errno });
  });

  it("refuses to look into what is no directory", async () => {
    const { client } = await mounted({ file: await putFile(TEXT), link: link("file") });
    for (const name of ["file", "link"]) {
      const lookup = client.walk(name, "below");
      await expect(lookup).rejects.toMatchObject({ errno: ERRNO.ENOTDIR });
    }
  });

  it("refuses a file with a size that stat(2) cannot tell", async () => {
    const { client } = await mounted({
      large: fileNode(NOWHERE, 2n ** 53n),
      largest: fileNode(NOWHERE, 2n ** 53n - 1n),
    });
    await expect(client.walk("large")).rejects.toMatchObject({ errno: ERRNO.EOVERFLOW });
    expect((await client.walk("largest")).attributes?.size).toBe(2 ** 53 - 1);
  });

  it("does not believe what a node says about the size of a directory", async () => {
    const inner = await putDirectory({ file: await putFile(TEXT) });
    const { client } = await mounted({ liar: directoryNode(digestOf(inner), 2n ** 60n) });
    expect((await client.walk("liar")).attributes).toMatchObject({ size: 1, nlink: 2 });
  });

  it.each(["absent", "failing"] as const)(
    "fails with EIO while the Directory is %s, and works afterwards",
    async (fault) => {
      const inner = await putDirectory({ file: await putFile(TEXT) });
      const { client } = await mounted({ inner });
      faults.set(digestOf(inner), fault);
      await expect(client.walk("inner")).rejects.toMatchObject({ errno: ERRNO.EIO });
      faults.clear();
      expect((await client.walk("inner", "file")).attributes?.size).toBe(TEXT.byteLength);
    },
  );

  it("fetches a Directory once for all who need it at the same time", async () => {
    const inner = await putDirectory({ a: await putFile(TEXT), b: link("a") });
    const { client } = await mounted({ inner });
    await Promise.all([client.walk("inner", "a"), client.walk("inner", "b"), client.walk("inner")]);
    expect(faults.countOf(digestOf(inner))).toBe(1);
  });

  it("ends with EINTR when it is interrupted, and others go on waiting", async () => {
    const inner = await putDirectory({ file: await putFile(TEXT) });
    const { client } = await mounted({ inner });
    faults.set(digestOf(inner), "hanging");
    const interrupts = [new AbortController(), new AbortController()];
    const ended: number[] = [];
    const [first, second] = interrupts.map(({ signal }, i) =>
      client.lookup(ROOT_NODE_ID, "inner", { ...CALLER, signal }).finally(() => ended.push(i)),
    );
    await client.getattr(ROOT_NODE_ID);
    interrupts[0]?.abort();
    await expect(first).rejects.toMatchObject({ errno: ERRNO.EINTR });
    await new Promise(setImmediate);
    expect(ended).toEqual([0]);
    interrupts[1]?.abort();
    await expect(second).rejects.toMatchObject({ errno: ERRNO.EINTR });
    faults.clear();
    expect((await client.walk("inner")).attributes?.nlink).toBe(2);
  });
});

describe("lookup() of root nodes", () => {
  const inner = directoryOf({});

  it("finds what the root nodes have", async () => {
    await directories.put(inner);
    const { client } = fileSystem(rootsOf({ inner: nodeOf(inner), link: link("x") }));
    expect((await client.walk("inner")).validSeconds).toBe(FOREVER_SECONDS);
    expect((await client.walk("link")).attributes?.size).toBe(1);
  });

  it("remembers for a moment only that there is nothing", async () => {
    const { files } = fileSystem(rootsOf({}), { absentRootSeconds: 3 });
    expect(await files.lookup(ROOT_NODE_ID, toUtf8("x"), CALLER)).toMatchObject({
      nodeId: 0,
      validSeconds: 3,
    });
  });

  it("sees what appears later", async () => {
    const known = new Map<string, Node>();
    const roots: RootNodes = {
      get: async (name) => known.get(name.key),
      list: () => DirectoryRootNodes.of(Directory.EMPTY).list(),
    };
    const { client } = fileSystem(roots);
    await expect(client.walk("new")).rejects.toMatchObject({ errno: ERRNO.ENOENT });
    known.set("new", link("x"));
    expect((await client.walk("new")).attributes?.size).toBe(1);
  });

  it("asks once for all who look for the same name at the same time", async () => {
    let asked = 0;
    const roots: RootNodes = {
      async get() {
        asked++;
        return link("x");
      },
      list: () => DirectoryRootNodes.of(Directory.EMPTY).list(),
    };
    const { client } = fileSystem(roots);
    await Promise.all([client.walk("a"), client.walk("a"), client.walk("b")]);
    expect(asked).toBe(2);
  });

  it("fails with EIO when the root nodes fail", async () => {
    const failure = new Error("away");
    const { client } = fileSystem({
      get: () => Promise.reject(failure),
      list: () => DirectoryRootNodes.of(Directory.EMPTY).list(),
    });
    const failed = { errno: ERRNO.EIO, cause: failure };
    await expect(client.walk("a")).rejects.toMatchObject(failed);
  });
});

describe("getattr()", () => {
  it("gives the attributes of the lookup", async () => {
    const { client } = await mounted({ file: await putFile(TEXT), inner: await putDirectory({}) });
    for (const name of ["file", "inner"]) {
      const { nodeId, attributes } = await client.walk(name);
      expect(await client.getattr(nodeId)).toEqual({ attributes, validSeconds: FOREVER_SECONDS });
    }
  });

  it("gives the root number 1 and the links of its directories", async () => {
    const { client } = await mounted({ a: await putDirectory({}), b: link("a") });
    expect((await client.getattr(ROOT_NODE_ID)).attributes).toMatchObject({
      ino: 1,
      mode: FILE_TYPE.DIRECTORY | 0o555,
      size: 2,
      nlink: 3,
      mtime: 1,
    });
  });

  it("answers for a root of root nodes without asking them", () => {
    const { files } = fileSystem(rootsOf({ a: link("b") }));
    expect(files.getattr(ROOT_NODE_ID, CALLER)).toMatchObject({
      attributes: { ino: 1, size: 0, nlink: 2 },
    });
  });

  it("fails with EIO while the root is missing, and works afterwards", async () => {
    const root = digestOf(await putDirectory({ a: link("b") }));
    const { client } = fileSystem(root);
    faults.set(root, "absent");
    await expect(client.getattr(ROOT_NODE_ID)).rejects.toMatchObject({ errno: ERRNO.EIO });
    faults.clear();
    expect((await client.getattr(ROOT_NODE_ID)).attributes.size).toBe(1);
  });

  it("does not know an unknown node", async () => {
    const { client } = await mounted({});
    await expect(client.getattr(UNKNOWN_NODE_ID)).rejects.toMatchObject({ errno: ERRNO.ENOENT });
  });
});

describe("forget()", () => {
  it("forgets a node when all lookups are taken back", async () => {
    const { client, files } = await mounted({ file: await putFile(TEXT) });
    const { nodeId } = await client.walk("file");
    await client.walk("file");
    expect(files.inodes).toBe(2);
    files.forget(nodeId, 1);
    await client.getattr(nodeId);
    files.forget(nodeId, 1);
    await expect(client.getattr(nodeId)).rejects.toMatchObject({ errno: ERRNO.ENOENT });
    expect(files.inodes).toBe(1);
  });

  it("never forgets the root", async () => {
    const { client, files } = await mounted({});
    files.forget(ROOT_NODE_ID, 1000);
    await client.getattr(ROOT_NODE_ID);
  });

  it("counts what listings have told", async () => {
    const { client, files } = await mounted({ a: await putFile(TEXT), b: link("a") });
    await client.getattr(ROOT_NODE_ID);
    const items = await client.list(ROOT_NODE_ID, { wantsEntries: true });
    expect(files.inodes).toBe(3);
    for (const { entry } of items) if (entry !== undefined) files.forget(entry.nodeId, 1);
    expect(files.inodes).toBe(1);
  });

  it("counts nothing for listings without entries, nor for what did not fit", async () => {
    const { client, files } = await mounted({ a: await putFile(TEXT), b: link("a") });
    await client.list(ROOT_NODE_ID);
    expect(files.inodes).toBe(1);
    const sink = new ListingSink(3 * 160, true);
    await client.readdir(ROOT_NODE_ID, 0, 0, sink);
    expect(names(sink.items)).toEqual([".", "..", "a"]);
    expect(files.inodes).toBe(2);
  });
});

describe("readlink()", () => {
  it("gives the bytes of the target", async () => {
    const target = Uint8Array.from({ length: 255 }, (_, i) => i + 1);
    const { client, files } = await mounted({ link: symlinkNode(SymlinkTarget.fromBytes(target)) });
    const { nodeId } = await client.walk("link");
    expect(files.readlink(nodeId)).toEqual(target);
  });

  it("refuses what is no symlink", async () => {
    const { client, files } = await mounted({ file: await putFile(TEXT) });
    expect(files.readlink((await client.walk("file")).nodeId)).toBe(ERRNO.EINVAL);
    expect(files.readlink(ROOT_NODE_ID)).toBe(ERRNO.EINVAL);
    expect(files.readlink(UNKNOWN_NODE_ID)).toBe(ERRNO.ENOENT);
  });
});

describe("open()", () => {
  it("leaves files to be read without being opened", async () => {
    const { client, files } = await mounted({ file: await putFile(TEXT) });
    expect(files.open((await client.walk("file")).nodeId)).toBe(ERRNO.ENOSYS);
  });

  it("refuses what is no file", async () => {
    const { client, files } = await mounted({ link: link("x") });
    expect(files.open(ROOT_NODE_ID)).toBe(ERRNO.EISDIR);
    expect(files.open((await client.walk("link")).nodeId)).toBe(ERRNO.EINVAL);
    expect(files.open(UNKNOWN_NODE_ID)).toBe(ERRNO.ENOENT);
  });
});

describe("read()", () => {
  const large = seededBytes(1, 3_000_000);

  it.each([
    ["all of it", 0, 13, "hello, world\n"],
    ["a part", 7, 5, "world"],
    ["more than there is", 7, 4096, "world\n"],
    ["at its end", 13, 10, ""],
    ["behind its end", 2 ** 40, 10, ""],
    ["nothing", 3, 0, ""],
  ])("reads %s", async (_, offset, size, expected) => {
    const { client } = await mounted({ file: await putFile(TEXT) });
    const { nodeId } = await client.walk("file");
    expect(toLatin1(await client.read(nodeId, offset, size))).toBe(expected);
  });

  it("reads an empty file", async () => {
    const { client } = await mounted({ file: await putFile(new Uint8Array(0)) });
    const { nodeId } = await client.walk("file");
    expect((await client.read(nodeId, 0, 4096)).byteLength).toBe(0);
  });

  it("reads what is at hand at once", async () => {
    const { client, files } = await mounted({
      file: await putFile(TEXT),
      large: await putFile(large),
    });
    for (const name of ["file", "large"]) {
      const { nodeId } = await client.walk(name);
      const [first] = [await client.read(nodeId, 1, 5)];
      const again = files.read(nodeId, 0, 1, 5, CALLER);
      expect(Array.isArray(again) && concatBytes(again)).toEqual(first);
    }
  });

  it("reads parts of a large file", async () => {
    const { client } = await mounted({ large: await putFile(large) });
    const { nodeId } = await client.walk("large");
    for (const [offset, size] of [
      [0, 131_072],
      [1_048_570, 12],
      [2_999_990, 4096],
      [500_000, 2_400_000],
    ] as const) {
      const expected = large.subarray(offset, offset + size);
      expectSameBytes(await client.read(nodeId, offset, size), expected);
    }
  });

  it.each([
    ["a small file", TEXT],
    ["a large file", large],
  ])("fails with EIO while %s is not to be had, and works afterwards", async (_, content) => {
    const file = await putFile(content);
    const { client } = await mounted({ file });
    const { nodeId } = await client.walk("file");
    for (const fault of ["absent", "failing", "failing-late"] as const) {
      faults.set(digestOf(file), fault);
      const read = client.read(nodeId, 0, 4096);
      await expect(read).rejects.toMatchObject({ errno: ERRNO.EIO });
    }
    faults.clear();
    const expected = content.subarray(0, 4096);
    expect(await client.read(nodeId, 0, 4096)).toEqual(expected);
  });

  it.each([
    ["longer", 1n],
    ["shorter", -1n],
  ])("fails with EIO for a blob that is %s than its node says", async (_, difference) => {
    for (const content of [TEXT, large]) {
      const digest = await blobs.put([content]);
      const size = BigInt(content.byteLength) + difference;
      const { client } = await mounted({ file: fileNode(digest, size) });
      const { nodeId } = await client.walk("file");
      const read = client.read(nodeId, 0, 4096);
      await expect(read).rejects.toMatchObject({ errno: ERRNO.EIO });
    }
  });

  it("fetches a small file once for all who read it at the same time", async () => {
    const file = await putFile(TEXT);
    const { client } = await mounted({ file });
    const { nodeId } = await client.walk("file");
    await Promise.all([client.read(nodeId, 0, 4), client.read(nodeId, 4, 4)]);
    await client.read(nodeId, 8, 4);
    expect(faults.countOf(digestOf(file))).toBe(1);
  });

  it.each([
    ["a small file", TEXT],
    ["a large file", large],
  ])(
    "of %s ends with EINTR when it is interrupted, and what hung is given up",
    async (_, content) => {
      const file = await putFile(content);
      const { client } = await mounted({ file });
      const { nodeId } = await client.walk("file");
      faults.set(digestOf(file), "hanging");
      const interrupts = [new AbortController(), new AbortController()];
      const [first, second] = interrupts.map(({ signal }) =>
        client.read(nodeId, 0, 4096, { ...CALLER, signal }),
      );
      const interrupted = { errno: ERRNO.EINTR };
      interrupts[0]?.abort();
      await expect(first).rejects.toMatchObject(interrupted);
      interrupts[1]?.abort();
      await expect(second).rejects.toMatchObject(interrupted);
      faults.clear();
      const expected = content.subarray(0, 4096);
      expect(await client.read(nodeId, 0, 4096)).toEqual(expected);
    },
  );

  it("refuses what is no file", async () => {
    const { client } = await mounted({ link: link("x") });
    const { nodeId } = await client.walk("link");
    await expect(client.read(nodeId, 0, 1)).rejects.toMatchObject({ errno: ERRNO.EINVAL });
    await expect(client.read(ROOT_NODE_ID, 0, 1)).rejects.toMatchObject({ errno: ERRNO.EISDIR });
    await expect(client.read(UNKNOWN_NODE_ID, 0, 1)).rejects.toMatchObject({ errno: ERRNO.ENOENT });
  });
});

describe("opendir()", () => {
  it("opens no Directory, below a root that is one", async () => {
    const root = digestOf(await putDirectory({ inner: await putDirectory({}) }));
    for (const listRoot of [false, true]) {
      const { client, files } = fileSystem(root, { listRoot });
      expect(files.opendir(ROOT_NODE_ID)).toBe(ERRNO.ENOSYS);
      expect(files.opendir((await client.walk("inner")).nodeId)).toBe(ERRNO.ENOSYS);
    }
  });

  it("opens no Directory below root nodes that cannot be listed", async () => {
    const { client, files } = fileSystem(rootsOf({ inner: await putDirectory({}) }));
    expect(files.opendir((await client.walk("inner")).nodeId)).toBe(ERRNO.ENOSYS);
    expect(files.opendir(ROOT_NODE_ID)).toBe(ERRNO.EPERM);
    // Kernels ask no more whether they may.
    const sink = new ListingSink(4096, false);
    expect(await files.readdir(ROOT_NODE_ID, 0, 0, sink, CALLER)).toBe(ERRNO.EPERM);
  });

  it("opens root nodes that can be listed, and what is below for good", async () => {
    const roots = rootsOf({ inner: await putDirectory({}) });
    const { client, files } = fileSystem(roots, { listRoot: true });
    expect(files.opendir(ROOT_NODE_ID)).toEqual({ handle: 1 });
    const reply = { handle: 0, keepCache: true, cacheDirectory: true };
    expect(files.opendir((await client.walk("inner")).nodeId)).toEqual(reply);
  });

  it("refuses what is no directory", async () => {
    const { client, files } = await mounted({ file: await putFile(TEXT) });
    expect(files.opendir((await client.walk("file")).nodeId)).toBe(ERRNO.ENOTDIR);
    expect(files.opendir(UNKNOWN_NODE_ID)).toBe(ERRNO.ENOENT);
  });

  it("opens so many listings of root nodes and no more", () => {
    const { files } = fileSystem(rootsOf({}), { listRoot: true });
    const handles: number[] = [];
    for (;;) {
      const reply = files.opendir(ROOT_NODE_ID);
      if (typeof reply === "number") {
        expect(reply).toBe(ERRNO.ENOMEM);
        break;
      }
      handles.push((reply as { handle: number }).handle);
    }
    expect(handles.length).toBeGreaterThan(100);
    files.releasedir(ROOT_NODE_ID, handles[0] ?? 0);
    expect(files.opendir(ROOT_NODE_ID)).toMatchObject({ handle: handles.length + 1 });
  });
});

describe("readdir()", () => {
  it("gives dots, then the entries in order, with numbers and types", async () => {
    const { client } = await mounted({
      b: await putFile(TEXT),
      a: link("b"),
      c: await putDirectory({ d: await putDirectory({}) }),
    });
    const inner = await client.walk("c");
    const root = await client.list(ROOT_NODE_ID);
    const numbers = await Promise.all(
      ["a", "b", "c"].map(async (name) => (await client.walk(name)).attributes?.ino),
    );
    expect(root.map(({ item }) => [toLatin1(item.name), item.type, item.ino])).toEqual([
      [".", FILE_TYPE.DIRECTORY, 1],
      ["..", FILE_TYPE.DIRECTORY, 1],
      ["a", FILE_TYPE.SYMLINK, numbers[0]],
      ["b", FILE_TYPE.REGULAR, numbers[1]],
      ["c", FILE_TYPE.DIRECTORY, numbers[2]],
    ]);
    const deep = await client.lookup(inner.nodeId, "d");
    const dots = (await client.list(deep.nodeId)).map(({ item }) => item.ino);
    expect(dots).toEqual([deep.attributes?.ino, inner.attributes?.ino]);
  });

  it("gives entries where they are wanted, as lookups do", async () => {
    const { client } = await mounted({
      file: await putFile(TEXT),
      link: link("file"),
      known: await putDirectory({}),
    });
    await client.walk("known");
    for (const { item, entry } of await client.list(ROOT_NODE_ID, { wantsEntries: true })) {
      const name = toLatin1(item.name);
      if (name.startsWith(".")) expect(entry).toBeUndefined();
      else expect(entry).toEqual(await client.walk(name));
    }
  });

  it("shows a file with a size that stat(2) cannot tell, without attributes", async () => {
    const { client } = await mounted({ large: fileNode(NOWHERE, 2n ** 64n - 1n) });
    const [, , large] = await client.list(ROOT_NODE_ID, { wantsEntries: true });
    expect(toLatin1(large?.item.name ?? TEXT)).toBe("large");
    expect(large?.entry).toBeUndefined();
  });

  it("refuses what is no directory", async () => {
    const { client } = await mounted({ file: await putFile(TEXT) });
    const { nodeId } = await client.walk("file");
    const list = client.listFrom(nodeId, 0, 0);
    await expect(list).rejects.toMatchObject({ errno: ERRNO.ENOTDIR });
  });

  it("fails with EIO while the Directory is missing, and works afterwards", async () => {
    const inner = await putDirectory({ a: link("b") });
    const { client } = await mounted({ inner }, { cachedEntries: 0 });
    const { nodeId } = await client.walk("inner");
    await client.list(ROOT_NODE_ID);
    faults.set(digestOf(inner), "absent");
    await expect(client.list(nodeId)).rejects.toMatchObject({ errno: ERRNO.EIO });
    faults.clear();
    expect(names(await client.list(nodeId))).toEqual([".", "..", "a"]);
  });
});

describe("readdir() of root nodes", () => {
  const entries = { a: link("x"), b: link("y"), c: fileNode(NOWHERE, 1n) };

  it("lists them", async () => {
    const { client } = fileSystem(rootsOf(entries), { listRoot: true });
    expect(names(await client.list(ROOT_NODE_ID))).toEqual([".", "..", "a", "b", "c"]);
    const items = await client.list(ROOT_NODE_ID, { wantsEntries: true });
    for (const { item, entry } of items.slice(2)) {
      expect(entry).toEqual(await client.walk(item.name));
    }
  });

  it("goes on from any offset, back as well", async () => {
    const { client, files } = fileSystem(rootsOf(entries), { listRoot: true });
    const { handle } = (await files.opendir(ROOT_NODE_ID)) as { handle: number };
    const all = await client.listFrom(ROOT_NODE_ID, handle, 0);
    for (const [i, { item }] of all.entries()) {
      const rest = await client.listFrom(ROOT_NODE_ID, handle, item.nextOffset);
      expect(rest).toEqual(all.slice(i + 1));
    }
  });

  it("begins anew when it is wound back", async () => {
    const all = [{ name: PathComponent.parse("a"), node: link("x") }];
    const roots: RootNodes = {
      get: async () => undefined,
      async *list(): AsyncGenerator<DirectoryEntry> {
        yield* all;
      },
    };
    const { client, files } = fileSystem(roots, { listRoot: true });
    const { handle } = (await files.opendir(ROOT_NODE_ID)) as { handle: number };
    expect(await client.listFrom(ROOT_NODE_ID, handle, 2)).toHaveLength(1);
    all.push({ name: PathComponent.parse("b"), node: link("x") });
    expect(await client.listFrom(ROOT_NODE_ID, handle, 2)).toHaveLength(1);
    expect(names(await client.listFrom(ROOT_NODE_ID, handle, 0))).toEqual([".", "..", "a", "b"]);
  });

  it("fails with EIO where the listing fails, and can begin anew", async () => {
    let isFailing = true;
    const roots: RootNodes = {
      get: async () => undefined,
      async *list(): AsyncGenerator<DirectoryEntry> {
        yield { name: PathComponent.parse("a"), node: link("x") };
        if (isFailing) throw new Error("away");
        yield { name: PathComponent.parse("b"), node: link("x") };
      },
    };
    const { client, files } = fileSystem(roots, { listRoot: true });
    const { handle } = (await files.opendir(ROOT_NODE_ID)) as { handle: number };
    const first = new ListingSink(72, false);
    await client.readdir(ROOT_NODE_ID, handle, 0, first);
    const rest = client.listFrom(ROOT_NODE_ID, handle, 2);
    await expect(rest).rejects.toMatchObject({ errno: ERRNO.EIO });
    isFailing = false;
    expect(names(await client.listFrom(ROOT_NODE_ID, handle, 0))).toEqual([".", "..", "a", "b"]);
  });

  it("refuses a handle that is not open", async () => {
    const { client } = fileSystem(rootsOf(entries), { listRoot: true });
    const list = client.listFrom(ROOT_NODE_ID, 7, 0);
    await expect(list).rejects.toMatchObject({ errno: ERRNO.EBADF });
  });

  it("closes the source when it is released before its end", async () => {
    let isClosed = false;
    const roots: RootNodes = {
      get: async () => undefined,
      async *list(): AsyncGenerator<DirectoryEntry> {
        try {
          for (;;) yield { name: PathComponent.parse("a"), node: link("x") };
        } finally {
          isClosed = true;
        }
      },
    };
    const { client, files } = fileSystem(roots, { listRoot: true });
    const { handle } = (await files.opendir(ROOT_NODE_ID)) as { handle: number };
    await client.readdir(ROOT_NODE_ID, handle, 0, new ListingSink(200, false));
    expect(isClosed).toBe(false);
    files.releasedir(ROOT_NODE_ID, handle);
    await new Promise(setImmediate);
    expect(isClosed).toBe(true);
  });
});

describe("getxattr() and listxattr()", () => {
  it("tell the digests behind files and directories", async () => {
    const file = await putFile(TEXT);
    const inner = await putDirectory({ file });
    const { client, files } = await mounted({ file, inner });
    for (const [name, node, attribute] of [
      ["file", file, DIGEST_ATTRIBUTES.BLOB],
      ["inner", inner, DIGEST_ATTRIBUTES.DIRECTORY],
    ] as const) {
      const { nodeId } = await client.walk(name);
      expect(files.listxattr?.(nodeId, CALLER)).toEqual([toUtf8(attribute)]);
      const value = files.getxattr?.(nodeId, toUtf8(attribute), CALLER);
      expect(value).toEqual(toUtf8(digestOf(node).toString()));
      expect(files.getxattr?.(nodeId, toUtf8("user.other"), CALLER)).toBe(ERRNO.ENODATA);
    }
  });

  it("tell the digest of a root that is a Directory", async () => {
    const root = digestOf(await putDirectory({ a: link("b") }));
    const { files } = fileSystem(root);
    const value = files.getxattr?.(ROOT_NODE_ID, toUtf8(DIGEST_ATTRIBUTES.DIRECTORY), CALLER);
    expect(value).toEqual(toUtf8(root.toString()));
  });

  it("have nothing for links and for root nodes", async () => {
    const { client, files } = fileSystem(rootsOf({ link: link("x") }));
    for (const nodeId of [ROOT_NODE_ID, (await client.walk("link")).nodeId]) {
      expect(files.listxattr?.(nodeId, CALLER)).toEqual([]);
      const value = files.getxattr?.(nodeId, toUtf8(DIGEST_ATTRIBUTES.DIRECTORY), CALLER);
      expect(value).toBe(ERRNO.ENODATA);
    }
  });

  it("are missing when they are turned off", () => {
    const { files } = fileSystem(rootsOf({}), { xattrs: false });
    expect(files.getxattr).toBeUndefined();
    expect(files.listxattr).toBeUndefined();
  });
});

describe("statfs()", () => {
  it("has figures that programs can divide by", () => {
    expect(fileSystem(rootsOf({})).files.statfs()).toMatchObject({
      blockSize: 4096,
      blocks: 1,
      freeBlocks: 0,
      files: 1,
      maxNameLength: 255,
    });
  });
});

describe("destroy()", () => {
  it("forgets everything, and the next kernel begins anew", async () => {
    const { client, files } = await mounted({ file: await putFile(TEXT) });
    const { nodeId } = await client.walk("file");
    await client.read(nodeId, 0, 4);
    files.destroy();
    await expect(client.getattr(nodeId)).rejects.toMatchObject({ errno: ERRNO.ENOENT });
    const again = await client.walk("file");
    expect(toLatin1(await client.read(again.nodeId, 0, 5))).toBe("hello");
  });
});

describe("rootOfNode()", () => {
  it("shows what is in a directory", async () => {
    const node = await putDirectory({ file: await putFile(TEXT) });
    const { client } = fileSystem(rootOfNode(node, PathComponent.parse("unused")));
    expect(names(await client.list(ROOT_NODE_ID))).toEqual([".", "..", "file"]);
  });

  it("shows a file or a link under its name", async () => {
    const name = PathComponent.parse("name");
    for (const node of [await putFile(TEXT), link("x")]) {
      const { client } = fileSystem(rootOfNode(node, name), { listRoot: true });
      expect(names(await client.list(ROOT_NODE_ID))).toEqual([".", "..", "name"]);
    }
  });
});
