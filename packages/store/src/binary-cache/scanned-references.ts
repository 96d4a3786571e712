import type { CallOptions } from "@tvix/castore";
import { renderNar } from "../nar/renderer.js";
import type { PathInfo } from "../path-info.js";
import { ReferenceScanner } from "../references/reference-scanner.js";
import type { StorePath } from "../store-path/store-path.js";
import type { CacheParts } from "./cache-parts.js";
import { CacheRefusal } from "./refusal.js";

/** How many paths a message names. */
const MAX_NAMED = 3;

/**
 * Compares what a path says that it refers to with its content, all of which is read for that: each
 * reference has to occur in it, and its own path only when it is one. What else the content refers to
 * cannot be told: only who has built it knows what there was to refer to.
 *
 * Where the store path follows from the content, references are part of what it follows from.
 *
 * @throws {@link CacheRefusal} when they differ, where that is refused
 */
export async function checkScannedReferences(
  parts: CacheParts,
  pathInfo: PathInfo,
  options: CallOptions,
): Promise<void> {
  const { scanReferences, warn } = parts.options;
  if (scanReferences === "off" || pathInfo.contentAddress !== undefined) return;
  const problem = await problemOf(parts, pathInfo, options);
  if (problem === undefined) return;
  if (scanReferences === "refuse") throw new CacheRefusal(400, problem);
  warn(problem);
}

async function problemOf(
  parts: CacheParts,
  { storePath, node, references }: PathInfo,
  options: CallOptions,
): Promise<string | undefined> {
  const statesItself = references.some((reference) => reference.equals(storePath));
  const scanner = ReferenceScanner.of(statesItself ? references : [...references, storePath]);
  for await (const bytes of renderNar(parts, node, options)) {
    scanner.push(bytes);
    if (scanner.complete) break;
  }
  const found = new Set(scanner.found().map(({ baseName }) => baseName));
  const missing = references.filter(({ baseName }) => !found.has(baseName));
  if (missing.length > 0) return `${storePath} does not hold what it refers to: ${named(missing)}`;
  if (statesItself || !found.has(storePath.baseName)) return undefined;
  return `${storePath} refers to itself, which its narinfo does not say`;
}

function named(paths: readonly StorePath[]): string {
  const names = paths.slice(0, MAX_NAMED).join(", ");
  const more = paths.length - MAX_NAMED;
  return more > 0 ? `${names} and ${more} more` : names;
}
