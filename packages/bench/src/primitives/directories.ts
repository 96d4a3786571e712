import {
  B3Digest,
  blake3,
  Directory,
  type DirectoryEntry,
  decodeDirectory,
  encodeDirectory,
  fileNode,
  PathComponent,
} from "@tvix/castore";
import { type Figure, secondsPerCall } from "./sample.js";
import { seededBytes } from "./seeded-bytes.js";

const COUNTS = [10, 1000, 100_000];

/** What a Directory costs, by its number of entries. */
export function* directoryFigures(): Generator<Figure, void, undefined> {
  const group = "Directory, millions of entries a second";
  for (const count of COUNTS) {
    const entries = makeEntries(count);
    const directory = Directory.fromEntries(entries);
    const encoded = encodeDirectory(directory);
    const row = `${count.toLocaleString("en-US")} entries, ${encoded.byteLength.toLocaleString("en-US")} bytes`;
    const rate = (work: () => unknown): number => count / secondsPerCall(work) / 1e6;
    const make = rate(() => Directory.fromEntries(entries));
    yield { group, row, column: "sort and validate", value: make };
    yield { group, row, column: "encode", value: rate(() => encodeDirectory(directory)) };
    yield {
      group,
      row,
      column: "decode and validate",
      value: rate(() => decodeDirectory(encoded)),
    };
    // A Directory keeps its digest once it has been asked for.
    const hash = rate(() => blake3(encodeDirectory(directory)));
    yield { group, row, column: "encode and hash", value: hash };
  }
}

/** Files whose names are not in order. */
function makeEntries(count: number): DirectoryEntry[] {
  const random = seededBytes("directory", count * 32);
  return Array.from({ length: count }, (_, index) => {
    const digest = random.subarray(index * 32, index * 32 + 32);
    const name = `${Buffer.from(digest.subarray(0, 6)).toString("hex")}-${index}.txt`;
    return {
      name: PathComponent.parse(name),
      node: fileNode(B3Digest.fromBytes(digest), BigInt(index)),
    };
  });
}
