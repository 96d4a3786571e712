import {
  Directory,
  type DirectoryEntry,
  DirectoryRootNodes,
  directoryNode,
  fileNode,
  MemoryBlobService,
  MemoryDirectoryService,
  type Node,
  PathComponent,
  SymlinkTarget,
  symlinkNode,
  toLatin1,
} from "@tvix/castore";
import { EMPTY_DIGEST, pathComponents, SeededRandom } from "@tvix/castore/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ROOT_NODE_ID } from "../file-system.js";
import { FileSystemClient } from "../testing/file-system-client.js";
import type { ListedItem } from "../testing/listing-sink.js";
import { CastoreFileSystem } from "./castore-file-system.js";
import type { CastoreRoot } from "./root.js";

/** Room for one item with a name of any length. */
const LEAST_ROOM = 152 + 256;

const NODES: readonly Node[] = [
  fileNode(EMPTY_DIGEST, 0n),
  fileNode(EMPTY_DIGEST, 5n, true),
  symlinkNode(SymlinkTarget.parse("target")),
  directoryNode(EMPTY_DIGEST, 0n),
];

function directoryOfNames(names: readonly PathComponent[]): Directory {
  return Directory.fromEntries(
    names.map((name, i): DirectoryEntry => ({ name, node: NODES[i % NODES.length] as Node })),
  );
}

function open(root: CastoreRoot, directories: MemoryDirectoryService): CastoreFileSystem {
  const parts = { root, blobs: new MemoryBlobService(), directories };
  return new CastoreFileSystem(parts, { listRoot: true });
}

/** The same entries as a Directory, and as root nodes. */
async function bothRoots(directory: Directory): Promise<CastoreFileSystem[]> {
  const directories = new MemoryDirectoryService();
  await directories.put(Directory.EMPTY);
  const stored = open(await directories.put(directory), directories);
  return [stored, open(DirectoryRootNodes.of(directory), directories)];
}

function keys(items: readonly ListedItem[]): string[] {
  return items.map(({ item }) => toLatin1(item.name));
}

function expectedKeys(directory: Directory): string[] {
  return [".", "..", ...directory.entries.map(({ name }) => name.key)];
}

const uniqueNames = fc.uniqueArray(pathComponents(), {
  maxLength: 60,
  selector: (name) => name.key,
});

describe("a listing", () => {
  it("gives every name once, in order, whatever the room of the answers", async () => {
    await fc.assert(
      fc.asyncProperty(uniqueNames, fc.integer(), fc.boolean(), async (names, seed, wanted) => {
        const directory = directoryOfNames(names);
        const random = new SeededRandom(seed);
        const room = () => LEAST_ROOM + random.below(2000);
        for (const files of await bothRoots(directory)) {
          const client = new FileSystemClient(files);
          const items = await client.list(ROOT_NODE_ID, { wantsEntries: wanted, room });
          expect(keys(items)).toEqual(expectedKeys(directory));
        }
      }),
      { seed: 20_261_121, numRuns: 60 },
    );
  });

  it("goes on from any item that it gave", async () => {
    const names = Array.from({ length: 40 }, (_, i) => PathComponent.parse(`name ${i}`));
    const directory = directoryOfNames(names);
    for (const files of await bothRoots(directory)) {
      const client = new FileSystemClient(files);
      const opened = await files.opendir(ROOT_NODE_ID);
      const handle = typeof opened === "object" ? opened.handle : -1;
      const all = await client.listFrom(ROOT_NODE_ID, handle, 0);
      for (let i = all.length - 1; i >= 0; i--) {
        const offset = all[i]?.item.nextOffset ?? -1;
        const rest = await client.listFrom(ROOT_NODE_ID, handle, offset);
        expect(keys(rest)).toEqual(keys(all.slice(i + 1)));
      }
    }
  });

  it.each([3, 1000, 2 ** 40, Number.MAX_SAFE_INTEGER])(
    "of nothing has nothing from offset %d on",
    async (offset) => {
      for (const files of await bothRoots(Directory.EMPTY)) {
        const opened = await files.opendir(ROOT_NODE_ID);
        const handle = typeof opened === "object" ? opened.handle : -1;
        const client = new FileSystemClient(files);
        expect(await client.listFrom(ROOT_NODE_ID, handle, offset)).toEqual([]);
      }
    },
  );

  it("of 100,000 entries is complete", { timeout: 120_000 }, async () => {
    const names = Array.from({ length: 100_000 }, (_, i) =>
      PathComponent.parse(`entry ${String(i).padStart(6, "0")}`),
    );
    const directory = directoryOfNames(names);
    for (const files of await bothRoots(directory)) {
      const client = new FileSystemClient(files);
      const room = () => 65_536;
      const items = await client.list(ROOT_NODE_ID, { wantsEntries: true, room });
      expect(keys(items)).toEqual(expectedKeys(directory));
    }
  });
});
