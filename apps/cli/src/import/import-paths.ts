import type { DirectorySizeRule } from "@tvix/castore";
import type { LocalStoreOptions } from "@tvix/castore/local";
import { type ImportResult, importPath } from "@tvix/store/fs";
import type { Host, Invocation } from "../command.js";
import { CliError, EXIT, exitAfterSignal } from "../exit.js";
import { InterruptedError, orInterrupt } from "../interrupt.js";
import { BrokenPipeError } from "../io/output.js";
import { Progress } from "../io/progress.js";
import { dumpDiskTree } from "../nar/dump-disk-tree.js";
import { withStore, writing } from "../store/open.js";
import { storePlace } from "../store/place.js";
import {
  countsSince,
  type Destination,
  dryRunDestination,
  storeDestination,
} from "./destination.js";
import { explainUnknownReference } from "./explain-unknown-reference.js";
import { explainWrongSize } from "./explain-wrong-size.js";
import { ImportProgress } from "./import-progress.js";
import { checkOutsideStore } from "./own-store.js";
import { ReferenceCandidates } from "./reference-candidates.js";
import { jsonResult, summary } from "./report.js";
import { parseSizeRule } from "./size-rule.js";
import { checkSources, type Source } from "./sources.js";
import { startAhead, type Turn } from "./start-ahead.js";
import { treeSize } from "./tree-size.js";

/** Does what `tvix import` promises. */
export async function importPaths(invocation: Invocation, host: Host): Promise<number> {
  const { options } = invocation;
  const sizeRule = parseSizeRule(options.value("directory-size-rule"));
  const sources = checkSources(invocation.arguments, options.value("name"));
  const dryRun = options.has("dry-run");
  const candidates = await ReferenceCandidates.read(options.value("references-from"));
  const place = storePlace(options, host);
  if (!dryRun && place.kind === "directory") checkOutsideStore(sources, place.directory);
  const lanes = place.kind === "directory" ? 1 : lanesOf(invocation);
  try {
    await withStore(
      invocation,
      host,
      async (store) => {
        const destination = dryRun ? dryRunDestination(store) : storeDestination(store);
        await candidates.addStore(store, { signal: host.signal });
        await importAll(sources, destination, { sizeRule, candidates, invocation, host, lanes });
      },
      dryRun ? { readOnly: true } : writeOptions(invocation, host),
    );
  } catch (error) {
    if (!host.signal.aborted || dryRun) throw error;
    throw interruption(host.signal.reason);
  }
  return EXIT.ok;
}

function writeOptions(invocation: Invocation, host: Host): LocalStoreOptions {
  return {
    compression: !invocation.options.has("no-compression"),
    ...writing(invocation, host),
  };
}

/** What holds for every path of a command line. */
interface Context {
  readonly sizeRule: DirectorySizeRule;
  readonly candidates: ReferenceCandidates;
  readonly invocation: Invocation;
  readonly host: Host;
  /** Paths that are imported at a time. */
  readonly lanes: number;
}

/** Paths that are imported at a time into a store that may be far away: each waits for some round trips. */
const REMOTE_LANES = 8;

/** One after the other where a path may refer to those before it, and where what is new is told of each. */
function lanesOf({ options }: Invocation): number {
  const isOrdered = options.value("references-from") !== undefined || options.has("json");
  return isOrdered ? 1 : REMOTE_LANES;
}

async function importAll(
  sources: readonly Source[],
  destination: Destination,
  context: Context,
): Promise<void> {
  const { invocation, host } = context;
  const quiet = invocation.options.has("quiet");
  using line = new Progress(host.stderr, { hidden: quiet });
  const progress = new ImportProgress(line);
  if (line.isShown) expectSize(sources, progress, host.signal);
  let before = destination.counts();
  const work = (source: Source, turn: Turn, signal: AbortSignal) =>
    importOne(source, destination, { progress, turn, signal }, context);
  const { lanes } = context;
  for await (const imported of startAhead(sources, work, { lanes, signal: host.signal })) {
    const { result } = imported;
    context.candidates.addStored(result.storePath);
    progress.finish(result.progress);
    const after = destination.counts();
    await tell(imported, countsSince(before, after), context);
    before = after;
  }
  if (quiet) return;
  host.stderr.status("");
  const { entries, bytes } = progress.finished;
  const { dryRun } = destination;
  host.stderr.line(summary({ entries, bytes, counts: destination.counts(), dryRun }));
}

/** A path that is stored. */
interface Imported {
  readonly path: Uint8Array;
  readonly result: ImportResult;
}

/** How far an import has come, and whether anybody should see it. */
interface Course {
  readonly progress: ImportProgress;
  readonly turn: Turn;
  readonly signal: AbortSignal;
}

async function importOne(
  { path, name }: Source,
  { services, statCache, dryRun }: Destination,
  { progress, turn, signal }: Course,
  { sizeRule, candidates, host }: Context,
): Promise<Imported> {
  const importing = importPath(services, path, {
    name,
    sizeRule,
    signal,
    onProgress: (current) => {
      if (turn.isFirst) progress.update(current);
    },
    referenceCandidates: candidates.paths,
    ...(statCache === undefined ? {} : { statCache }),
    ...(dryRun ? { visitNar: (visit) => visitDiskNar(path, visit, host) } : {}),
  });
  // It may be waiting for another process.
  const result = await orInterrupt(importing, host.signal)
    .catch(explainUnknownReference)
    .catch(explainWrongSize(sizeRule));
  return { path, result };
}

async function tell(
  { path, result }: Imported,
  counts: ReturnType<typeof countsSince>,
  { invocation, host }: Context,
): Promise<void> {
  const line = invocation.options.has("json")
    ? jsonResult(path, result, counts)
    : result.storePath.toString();
  await print(line, host);
  if (typeof line !== "string" || invocation.options.has("quiet")) return;
  for (const reference of result.pathInfo.references) host.stderr.line(`refers to ${reference}`);
}

/** A dry run keeps nothing that could be read again. */
async function visitDiskNar(
  path: Uint8Array,
  visit: (bytes: Uint8Array) => void,
  { signal }: Host,
): Promise<void> {
  await dumpDiskTree(path, { signal, stdout: { bytes: async (bytes) => visit(bytes) } });
}

/** Prints a result at once. Whether anybody reads it makes no difference to the import. */
async function print(line: string | Record<string, unknown>, host: Host): Promise<void> {
  const { stdout, stderr } = host;
  // Both may be the same terminal.
  stderr.status("");
  try {
    await (typeof line === "string" ? stdout.line(line) : stdout.json(line));
    await stdout.flush();
  } catch (error) {
    if (!(error instanceof BrokenPipeError)) throw error;
  }
}

/** Counts in the background what there is to import, for the time left. */
function expectSize(
  sources: readonly Source[],
  progress: ImportProgress,
  signal: AbortSignal,
): void {
  const paths = sources.map(({ path }) => path);
  void treeSize(paths, signal).then(
    (size) => progress.expect(size),
    // Only the time left is lost.
    () => {},
  );
}

/** What was stored before the interruption is kept; that is worth knowing. */
function interruption(reason: unknown): unknown {
  if (!(reason instanceof InterruptedError)) return reason;
  return new CliError(
    exitAfterSignal(reason.signalNumber),
    `${reason.message}; what is stored so far is kept, the same command goes on from there`,
    { cause: reason },
  );
}
