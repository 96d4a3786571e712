import {
  type BlobService,
  blake3,
  Directory,
  type DirectoryEntry,
  type DirectoryNode,
  type DirectoryService,
  directoryDigest,
  directoryNode,
  encodeDirectory,
  equalBytes,
  fileNode,
  MemoryBlobService,
  MemoryDirectoryService,
  PathComponent,
  SymlinkTarget,
  symlinkNode,
} from "@tvix/castore";
import { seededBytes } from "@tvix/castore/testing";
import {
  calculateNar,
  encodePathInfo,
  PathInfo,
  type PathInfoService,
  StorePath,
  sha256,
} from "@tvix/store";
import { manyBlobs } from "./blob-uploads.js";
import { UNAVAILABLE, type Upload } from "./upload.js";

/** More Directories than our client sends in one go. */
const GROUPS = 20;
const DIRECTORIES_PER_GROUP = 26;

/** One file in each group. */
const FILE_BYTES = 3000;

/** Where trees go. */
export interface TreeServices {
  readonly blobs: BlobService;
  readonly directories: DirectoryService;
  readonly pathInfos: PathInfoService;
}

/** A store path in the order in which it has to be uploaded: its files, its Directories, its path info. */
export async function treeUploads(services: TreeServices, seed: number): Promise<Upload[]> {
  const { directories, root } = buildTree(seed);
  return [
    manyBlobs(services.blobs, seed, new Array<number>(GROUPS).fill(FILE_BYTES)),
    closure(services.directories, directories, seed),
    pathInfoUpload(services.pathInfos, await describeTree(directories, root, seed), seed),
  ];
}

function closure(
  service: DirectoryService,
  directories: readonly Directory[],
  seed: number,
): Upload {
  const encoded = directories.map(encodeDirectory);
  const root = directoryDigest(directories.at(-1) as Directory);
  return {
    about: `Directories of tree ${seed}, by our client`,
    unavailable: UNAVAILABLE,
    bytes: encoded.reduce((sum, bytes) => sum + bytes.byteLength, 0),
    async send(onSent) {
      const answered = await service.putMultiple(watched(directories, onSent));
      if (!answered.equals(root)) throw new Error(`${answered} was answered for root ${root}`);
    },
    async isStored() {
      const missing = new Map(encoded.map((bytes) => [blake3(bytes).key, bytes]));
      for await (const directory of service.getRecursive(root)) {
        const { key } = directoryDigest(directory);
        const expected = missing.get(key);
        if (expected === undefined || !equalBytes(encodeDirectory(directory), expected)) {
          throw new Error(`Tree ${seed} has a Directory that does not belong to it`);
        }
        missing.delete(key);
      }
      if (missing.size > 0 && missing.size < encoded.length) {
        throw new Error(`Half of tree ${seed} is there`);
      }
      return missing.size === 0;
    },
  };
}

function pathInfoUpload(service: PathInfoService, pathInfo: PathInfo, seed: number): Upload {
  const bytes = encodePathInfo(pathInfo);
  return {
    about: `path info of tree ${seed}, by our client`,
    unavailable: UNAVAILABLE,
    bytes: bytes.byteLength,
    async send(onSent) {
      const answer = service.put(pathInfo);
      onSent(bytes.byteLength);
      await answer;
    },
    async isStored() {
      const stored = await service.get(pathInfo.storePath.digestBytes());
      if (stored === undefined) return false;
      if (equalBytes(encodePathInfo(stored), bytes)) return true;
      throw new Error(`Another path info is stored for tree ${seed}`);
    },
  };
}

function* watched(
  directories: readonly Directory[],
  onSent: (bytes: number) => void,
): Generator<Directory> {
  for (const directory of directories) {
    yield directory;
    onSent(encodeDirectory(directory).byteLength);
  }
}

function fileContents(seed: number): Uint8Array[] {
  return Array.from({ length: GROUPS }, (_, group) => seededBytes(seed + group, FILE_BYTES));
}

/** Directories leaves first, and the root, which is the last of them. */
function buildTree(seed: number): {
  readonly directories: Directory[];
  readonly root: DirectoryNode;
} {
  const directories: Directory[] = [];
  const store = (entries: readonly DirectoryEntry[]): DirectoryNode => {
    const directory = Directory.fromEntries(entries);
    directories.push(directory);
    return directoryNode(directoryDigest(directory), directory.size());
  };
  const groups = fileContents(seed).map((content, group) => {
    const leaves = Array.from({ length: DIRECTORIES_PER_GROUP }, (_, i) =>
      entry(`d${i}`, store([entry("link", link(`${seed}/${group}/${i}`))])),
    );
    const file = entry("file", fileNode(blake3(content), BigInt(content.byteLength)));
    return entry(`g${group}`, store([...leaves, file]));
  });
  const root = store(groups);
  return { directories, root };
}

function entry(name: string, node: DirectoryEntry["node"]): DirectoryEntry {
  return { name: PathComponent.parse(name), node };
}

function link(target: string): DirectoryEntry["node"] {
  return symlinkNode(SymlinkTarget.parse(target));
}

async function describeTree(
  closed: readonly Directory[],
  node: DirectoryNode,
  seed: number,
): Promise<PathInfo> {
  const blobs = new MemoryBlobService();
  const directories = new MemoryDirectoryService();
  await blobs.putMany(fileContents(seed));
  await directories.putMultiple(closed);
  const nar = await calculateNar({ blobs, directories }, node);
  const outputHash = sha256(new TextEncoder().encode(`tree ${seed}`)).subarray(0, 20);
  return PathInfo.of({ storePath: StorePath.of(outputHash, `tree-${seed}`), node, ...nar });
}
