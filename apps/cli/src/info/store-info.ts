import type { StoreFigures } from "@tvix/store";
import { formatBytes, formatCount } from "../format/quantities.js";
import type { Row } from "./info.js";

/** The figures for programs; sizes in bytes. */
export function storeJson(figures: StoreFigures): Record<string, unknown> {
  const { pathInfos, directories, chunks, chunkedBlobs, packs } = figures;
  return {
    dataDirectory: figures.dataDirectory,
    storePaths: pathInfos,
    directories,
    blobs: chunks,
    chunkedBlobs,
    packs,
    narBytes: figures.narBytes,
    logicalBytes: figures.rawBytes,
    storedBytes: figures.storedBytes,
    diskBytes: figures.diskBytes,
  };
}

/** The figures for people. */
export function describeStore(figures: StoreFigures): readonly Row[] {
  const { narBytes, rawBytes, storedBytes } = figures;
  return [
    ["data directory", figures.dataDirectory],
    ["store paths", formatCount(figures.pathInfos)],
    ["directories", formatCount(figures.directories)],
    ["blobs and chunks", formatCount(figures.chunks)],
    ["chunked blobs", formatCount(figures.chunkedBlobs)],
    ["packs", formatCount(figures.packs)],
    ["size of all NARs", formatBytes(narBytes)],
    ["deduplicated", `${formatBytes(rawBytes)}${ratio(narBytes, rawBytes)}`],
    ["compressed", `${formatBytes(storedBytes)}${ratio(rawBytes, storedBytes)}`],
    ["on disk", formatBytes(figures.diskBytes)],
  ];
}

function ratio(before: number, after: number): string {
  return before === 0 || after === 0 ? "" : ` (ratio ${(before / after).toFixed(2)})`;
}
