import {
  Directory,
  type DirectoryEntry,
  directoryNode,
  fileNode,
  type Node,
  PathComponent,
  toUtf8,
} from "@tvix/castore";
import { LocalStore } from "@tvix/castore/local";
import {
  encodeNixBase32,
  PathInfo,
  RenderedNarCalculation,
  type SigningKey,
  StorePath,
  sha256,
} from "@tvix/store";
import { LocalPathInfoService } from "@tvix/store/local";

export interface GeneratedClosureOptions {
  readonly paths: number;
  readonly filesPerPath: number;
  /** Signs the paths. */
  readonly key: SigningKey;
}

/** Files of a directory in a generated path. */
const FILES_PER_DIRECTORY = 10;
/** Paths that a path refers to: those before it, and one far before it, as in closures of programs. */
const NEAR_REFERENCES = 3;

/**
 * Stores paths that refer to each other, the same for the same numbers: small files of some hundred up to four thousand
 * bytes, in directories of ten. The last path refers to all others, directly or not; a chain of references is a few
 * dozen paths long.
 *
 * @returns the last path
 */
export async function storeClosure(
  dataDirectory: string,
  { paths, filesPerPath, key }: GeneratedClosureOptions,
): Promise<StorePath> {
  await using store = await LocalStore.open(dataDirectory);
  const pathInfos = LocalPathInfoService.of(store);
  const calculation = new RenderedNarCalculation(store);
  const all: StorePath[] = [];
  for (let i = 0; i < paths; i++) {
    const node = await storeTree(store, i, filesPerPath);
    const isLast = i === paths - 1;
    const references = isLast ? all.slice(-60) : referencesOf(all, i);
    const storePath = StorePath.of(sha256(toUtf8(`path ${i}`)).subarray(0, 20), `generated-${i}`);
    const unsigned = { storePath, node, references, ...(await calculation.calculateNar(node)) };
    const signatures = [key.sign(PathInfo.of(unsigned))];
    await pathInfos.put(PathInfo.of({ ...unsigned, signatures }));
    all.push(storePath);
  }
  return all.at(-1) as StorePath;
}

function referencesOf(all: readonly StorePath[], i: number): StorePath[] {
  // Steps of eight, so that a chain through all of them has an eighth of their number.
  const near = Array.from({ length: NEAR_REFERENCES }, (_, k) => i - 8 - k);
  const numbers = [...near, Math.floor(i / 3)].filter((number) => number >= 0 && number < i);
  return [...new Set(numbers)].map((number) => all[number] as StorePath);
}

async function storeTree(store: LocalStore, i: number, files: number): Promise<Node> {
  const contents = Array.from({ length: files }, (_, k) => contentOf(i, k));
  const digests = await store.blobs.putMany(contents);

  const root: DirectoryEntry[] = [];
  for (let start = 0; start < files; start += FILES_PER_DIRECTORY) {
    const entries = digests.slice(start, start + FILES_PER_DIRECTORY).map((digest, k) => ({
      name: PathComponent.parse(`file-${String(start + k).padStart(6, "0")}`),
      node: fileNode(digest, BigInt((contents[start + k] as Uint8Array).byteLength)),
    }));
    const directory = Directory.fromEntries(entries);

    const name = PathComponent.parse(`directory-${String(start).padStart(6, "0")}`);
    root.push({ name, node: await nodeOf(store, directory) });
  }
  return await nodeOf(store, Directory.fromEntries(root));
}

async function nodeOf(store: LocalStore, directory: Directory): Promise<Node> {
  return directoryNode(await store.directories.put(directory), directory.size());
}

/** Text that compresses about as well as source code does. */
function contentOf(path: number, file: number): Uint8Array {
  const length = 200 + ((path * 7919 + file * 104_729) % 3800);
  const lines: string[] = [];
  for (let size = 0, k = 0; size < length; k++) {
    const line = `${path} ${file} ${encodeNixBase32(sha256(toUtf8(`${path}/${file}/${k}`)))}\n`;
    lines.push(line);
    size += line.length;
  }
  return toUtf8(lines.join("").slice(0, length));
}
