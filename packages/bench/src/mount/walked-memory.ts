import { join } from "node:path";
import { blake3, Directory, directoryNode, fileNode, PathComponent } from "@tvix/castore";
import { LocalStore } from "@tvix/castore/local";
import { tvixCommand } from "../operations/tvix-tool.js";
import { measure } from "../process/measure.js";
import type { WalkedMemory } from "./mount-run.js";
import { MountedFileSystem } from "./mounted-file-system.js";

/** Directories below the root, and files in each: a million entries, no two of the same content. */
const FOLDERS = 1000;
const FILES = 999;

/**
 * Mounts a tree of a million entries, has all of them looked at, and takes the memory of the process of the mount. The content of the
 * files, which is not looked at, does not exist.
 */
export async function walkedMemory(folder: string, signal: AbortSignal): Promise<WalkedMemory> {
  const data = join(folder, "walked");
  const root = await storeTree(data);
  const mountPoint = join(folder, "mount");
  const command = tvixCommand("mount", "--foreground", "--data-dir", data, mountPoint, root);
  await using mounted = await MountedFileSystem.start(command, mountPoint, signal);
  const walk = { program: "du", args: ["-s", "--apparent-size", mountPoint] };
  const { wallSeconds } = await measure(walk, { stdout: "discard", signal });
  const residentBytes = mounted.peakBytes();
  if (residentBytes === undefined) throw new Error("Cannot measure memory: there is no /proc");
  return { entries: FOLDERS * (FILES + 1), residentBytes, seconds: wallSeconds };
}

/** @returns the digest of its root */
async function storeTree(data: string): Promise<string> {
  await using store = await LocalStore.open(data);
  const folders: Directory[] = [];
  for (let i = 0; i < FOLDERS; i++) folders.push(folderOfFiles(i));
  const nodes = folders.map(async (folder, i) => ({
    name: name("folder", i),
    node: directoryNode(await store.directories.put(folder), folder.size()),
  }));
  return String(await store.directories.put(Directory.fromEntries(await Promise.all(nodes))));
}

function folderOfFiles(folder: number): Directory {
  const files = Array.from({ length: FILES }, (_, i) => ({
    name: name("file", i),
    node: fileNode(blake3(new Uint8Array(Uint32Array.of(folder, i).buffer)), 1n),
  }));
  return Directory.fromEntries(files);
}

function name(kind: string, number: number): PathComponent {
  return PathComponent.parse(`${kind}-${String(number).padStart(4, "0")}`);
}
