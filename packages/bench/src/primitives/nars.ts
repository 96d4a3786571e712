import { createHash } from "node:crypto";
import {
  Directory,
  type DirectoryNode,
  directoryDigest,
  directoryNode,
  fileNode,
  MemoryBlobService,
  MemoryDirectoryService,
  PathComponent,
} from "@tvix/castore";
import { type CastoreServices, calculateNar, NarHasher, renderNar } from "@tvix/store";
import { type Figure, secondsPerAsyncCall, secondsPerCall } from "./sample.js";
import { seededBytes } from "./seeded-bytes.js";

const TREES = [
  { row: "5,000 files of 8 KiB", files: 5000, bytes: 8 * 1024 },
  { row: "1 file of 64 MiB", files: 1, bytes: 64 * 1024 * 1024 },
];

const GROUP = "NAR of a tree in memory, MB/s";

/** How fast NARs are written and hashed. */
export async function* narFigures(): AsyncGenerator<Figure, void, undefined> {
  for (const { row, files, bytes } of TREES) {
    const content = seededBytes("nar", files * bytes);
    const { services, root } = await makeTree(content, files);
    const { narSize } = await calculateNar(services, root);
    const rate = (seconds: number): number => Number(narSize) / seconds / 1e6;
    const render = await secondsPerAsyncCall(async () => {
      for await (const _ of renderNar(services, root));
    });
    yield { group: GROUP, row, column: "render", value: rate(render) };
    const calculate = await secondsPerAsyncCall(async () => {
      await calculateNar(services, root);
    });
    yield { group: GROUP, row, column: "render and SHA-256", value: rate(calculate) };
    const observe = secondsPerCall(() => hashAsImportDoes(content, files));
    yield { group: GROUP, row, column: "hash during import", value: rate(observe) };
    const sha256 = secondsPerCall(() => createHash("sha256").update(content).digest());
    yield { group: GROUP, row, column: "SHA-256 alone", value: rate(sha256) };
  }
}

const nameOf = (index: number): string => `file-${String(index).padStart(6, "0")}`;

async function makeTree(
  content: Uint8Array,
  files: number,
): Promise<{ services: CastoreServices; root: DirectoryNode }> {
  const services = { blobs: new MemoryBlobService(), directories: new MemoryDirectoryService() };
  const length = content.byteLength / files;
  const parts = Array.from({ length: files }, (_, index) =>
    content.subarray(index * length, (index + 1) * length),
  );
  const digests = await services.blobs.putMany(parts);
  const directory = Directory.fromEntries(
    digests.map((digest, index) => ({
      name: PathComponent.parse(nameOf(index)),
      node: fileNode(digest, BigInt(length)),
    })),
  );
  await services.directories.put(directory);
  return { services, root: directoryNode(directoryDigest(directory), directory.size()) };
}

function hashAsImportDoes(content: Uint8Array, files: number): void {
  const hasher = new NarHasher();
  const length = content.byteLength / files;
  hasher.beginDirectory();
  for (let index = 0; index < files; index++) {
    hasher.entry(Buffer.from(nameOf(index)));
    hasher.beginFile(length, false);
    for (let at = index * length; at < (index + 1) * length; at += 1024 * 1024) {
      hasher.fileBytes(content.subarray(at, Math.min((index + 1) * length, at + 1024 * 1024)));
    }
    hasher.endFile();
  }
  hasher.endDirectory();
  hasher.finish();
}
