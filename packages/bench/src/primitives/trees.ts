import {
  encodeSlice,
  groupValue,
  groupValues,
  MAX_GROUP_BYTES,
  SliceDecoder,
  TreeBuilder,
  treeOf,
} from "@tvix/castore";
import { type Figure, secondsPerAsyncCall, secondsPerCall } from "./sample.js";
import { seededBytes } from "./seeded-bytes.js";

const KIB = 1024;
const MIB = 1024 * KIB;
const BYTES = 64 * MIB;
const GROUP_BYTES = 16 * KIB;

/** Pieces in which content comes. */
const PIECE_BYTES = 256 * KIB;

const GROUP = "Trees of BLAKE3, MB/s";

/** How fast trees are made, and parts proved and checked. The native library has no such functions. */
export async function* treeFigures(): AsyncGenerator<Figure, void, undefined> {
  const bytes = seededBytes("trees", BYTES);
  const figure = (row: string, seconds: number): Figure => ({
    group: GROUP,
    row,
    column: "WebAssembly",
    value: BYTES / seconds / 1e6,
  });
  yield figure(
    "values of groups, 16 together",
    secondsPerCall(() => {
      for (let at = 0; at < BYTES; at += MAX_GROUP_BYTES) {
        groupValues(bytes.subarray(at, at + MAX_GROUP_BYTES), at, GROUP_BYTES);
      }
    }),
  );
  yield figure(
    "values of groups, one by one",
    secondsPerCall(() => {
      for (let at = 0; at < BYTES; at += GROUP_BYTES) {
        groupValue(bytes.subarray(at, at + GROUP_BYTES), at, false);
      }
    }),
  );
  yield figure(
    "tree of 64 MiB",
    secondsPerCall(() => {
      const builder = new TreeBuilder();
      for (let at = 0; at < BYTES; at += PIECE_BYTES) {
        builder.push(bytes.subarray(at, at + PIECE_BYTES));
      }
      builder.finish();
    }),
  );
  yield* sliceFigures(bytes, figure);
}

async function* sliceFigures(
  bytes: Uint8Array,
  figure: (row: string, seconds: number) => Figure,
): AsyncGenerator<Figure, void, undefined> {
  const tree = treeOf(bytes);
  const all = { offset: 0, length: BYTES };
  async function* read(): AsyncGenerator<Uint8Array, void, undefined> {
    for (let at = 0; at < BYTES; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
  }
  const slice: Uint8Array[] = [];
  yield figure(
    "slice of 64 MiB, made",
    await secondsPerAsyncCall(async () => {
      slice.length = 0;
      for await (const block of encodeSlice(tree, tree.digest, all, read)) slice.push(block);
    }),
  );
  yield figure(
    "slice of 64 MiB, checked",
    secondsPerCall(() => {
      const decoder = new SliceDecoder(tree.digest, all);
      for (const block of slice) decoder.push(block);
      decoder.finish();
    }),
  );
}
