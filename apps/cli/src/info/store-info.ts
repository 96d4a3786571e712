import { formatBytes, formatCount } from "../format/quantities.js";
import type { OpenStore } from "../store/open.js";
import type { Row } from "./info.js";

/** How much a store holds and what it takes; sizes in bytes. */
export interface StoreFigures {
  readonly dataDirectory: string;
  readonly storePaths: number;
  readonly directories: number;
  readonly blobs: number;
  readonly chunkedBlobs: number;
  readonly packs: number;
  /** What the store paths would take, each by itself. */
  readonly narBytes: number;
  /** What is left of that when everything is kept once. */
  readonly logicalBytes: number;
  /** What is left of that after compression. */
  readonly storedBytes: number;
  /** All files of the store, its index included. */
  readonly diskBytes: number;
}

/** Adds it all up. Takes time in proportion to the number of store paths. */
export async function storeFigures(store: OpenStore, signal: AbortSignal): Promise<StoreFigures> {
  const stats = await store.local.stats();
  let narBytes = 0;
  for await (const { narSize } of store.pathInfos.list({ signal })) narBytes += Number(narSize);
  return {
    dataDirectory: store.directory,
    storePaths: stats.pathInfos,
    directories: stats.directories,
    blobs: stats.chunks,
    chunkedBlobs: stats.chunkedBlobs,
    packs: stats.packs,
    narBytes,
    logicalBytes: stats.rawBytes,
    storedBytes: stats.storedBytes,
    diskBytes: stats.diskBytes,
  };
}

/** The figures for people. */
export function describeStore(figures: StoreFigures): readonly Row[] {
  const { narBytes, logicalBytes, storedBytes } = figures;
  return [
    ["data directory", figures.dataDirectory],
    ["store paths", formatCount(figures.storePaths)],
    ["directories", formatCount(figures.directories)],
    ["blobs and chunks", formatCount(figures.blobs)],
    ["chunked blobs", formatCount(figures.chunkedBlobs)],
    ["packs", formatCount(figures.packs)],
    ["size of all NARs", formatBytes(narBytes)],
    ["deduplicated", `${formatBytes(logicalBytes)}${ratio(narBytes, logicalBytes)}`],
    ["compressed", `${formatBytes(storedBytes)}${ratio(logicalBytes, storedBytes)}`],
    ["on disk", formatBytes(figures.diskBytes)],
  ];
}

function ratio(before: number, after: number): string {
  return before === 0 || after === 0 ? "" : ` (ratio ${(before / after).toFixed(2)})`;
}
