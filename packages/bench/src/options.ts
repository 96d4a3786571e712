import { parseArgs } from "node:util";
import { CACHE_PARTS, type CachePart } from "./cache/cache-run.js";

/** What is measured. */
type Mode = (typeof MODES)[number];

const MODES = [
  "operations",
  "primitives",
  "profile",
  "grpc",
  "daemon-import",
  "nar",
  "cache",
  "mount",
  "latency",
] as const;

/** Where sources and stores of a run are: in memory, or on a disk. */
export type Where = "tmpfs" | "disk";

/** A parsed command line. */
export interface BenchOptions {
  readonly mode: Mode;
  readonly where: Where;
  /** How often each command runs. */
  readonly runs: number;
  /** Folder with the trees T1, T2 and T3; made there when it does not exist. */
  readonly trees: string | undefined;
  /** Folder for sources and stores. */
  readonly scratch: string | undefined;
  /** A saved run to report instead of measuring. */
  readonly from: string | undefined;
  /** The part of the comparison of caches that runs; all by default. */
  readonly part: CachePart | undefined;
  /** Whether little is done, to see that all goes well. */
  readonly quick: boolean;
  /** Whether docs/performance.md is refreshed. */
  readonly write: boolean;
  /** The command line as others can repeat it: folders of this machine are left out. */
  readonly command: string;
}

/** A command line that makes no sense. The message tells why. */
export class BenchUsageError extends Error {
  override readonly name: string = "BenchUsageError";
}

export const USAGE = `Usage: pnpm bench [operations|primitives|profile|grpc|daemon-import|nar|cache|mount|latency] [OPTION...]

  operations   whole operations: tvix, nix-store and restic side by side (the default)
  primitives   hashing, chunking, encoding, NAR, packs, look-ups
  profile      where the time of an import goes, by thread and function
  grpc         calls of our server and client next to @grpc/grpc-js
  daemon-import  T1 through a daemon next to the store itself
  nar          NARs out of a store next to nix-store --dump of the trees
  cache        the binary cache next to nginx: copies of the real Nix, narinfos, NARs
  mount        a mount next to the kernel's own files, squashfuse_ll and bindfs; as root
  latency      copies and imports over a line on which a round trip takes 50 ms

  --runs N            how often each command runs (3)
  --where tmpfs|disk  where sources and stores are (tmpfs)
  --trees DIR         trees T1, T2 and T3; made there if DIR does not exist (a scratch folder)
  --scratch DIR       folder for sources and stores (/dev/shm, or the system's temporary folder)
  --part PART         of cache: copies, narinfo or nars (all)
  --quick             of cache: does little, to see that all goes well; the figures say nothing
  --from FILE         reports a saved run instead of measuring
  --write             refreshes the tables in docs/performance.md`;

/** How often each command runs unless told otherwise. */
const DEFAULT_RUNS = 3;

/**
 * @returns `undefined` when help was asked for
 * @throws {@link BenchUsageError}
 */
export function parseOptions(words: readonly string[]): BenchOptions | undefined {
  const { values, positionals } = parseWords(words);
  if (values.help === true) return undefined;
  const [mode = "operations", ...more] = positionals;
  if (!isMode(mode)) throw new BenchUsageError(`unknown benchmark "${mode}"`);
  if (more.length > 0) throw new BenchUsageError(`unexpected argument "${more[0]}"`);
  const where = values.where ?? "tmpfs";
  if (where !== "tmpfs" && where !== "disk") {
    throw new BenchUsageError(`--where is tmpfs or disk, not "${where}"`);
  }
  const runs = Number(values.runs ?? DEFAULT_RUNS);
  if (!Number.isInteger(runs) || runs < 1) {
    throw new BenchUsageError(`--runs is a number from 1 on, not "${values.runs}"`);
  }
  const { trees, scratch, from, write = false, quick = false } = values;
  const part = parsePart(mode, values.part);
  if (quick && mode !== "cache") throw new BenchUsageError("--quick is an option of cache");
  if (quick && write) throw new BenchUsageError("--quick makes no figures to --write");
  const command = repeatable(mode, { where, runs, trees, scratch });
  return { mode, where, runs, trees, scratch, from, part, quick, write, command };
}

/** The command that repeats one part of a comparison of caches. */
export function commandOfPart({ command }: Pick<BenchOptions, "command">, part: CachePart): string {
  return `${command} --part ${part}`;
}

function parsePart(mode: Mode, text: string | undefined): CachePart | undefined {
  if (text === undefined) return undefined;
  if (mode !== "cache") throw new BenchUsageError("--part is an option of cache");
  const part = CACHE_PARTS.find((one) => one === text);
  if (part !== undefined) return part;
  throw new BenchUsageError(`--part is one of ${CACHE_PARTS.join(", ")}, not "${text}"`);
}

function parseWords(words: readonly string[]) {
  try {
    return parseArgs({
      args: [...words],
      allowPositionals: true,
      options: {
        runs: { type: "string" },
        where: { type: "string" },
        trees: { type: "string" },
        scratch: { type: "string" },
        from: { type: "string" },
        part: { type: "string" },
        quick: { type: "boolean" },
        write: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    throw new BenchUsageError(error instanceof Error ? error.message : String(error), {
      cause: error,
    });
  }
}

/** Whether there is such a benchmark. */
export function isMode(word: string): word is Mode {
  return (MODES as readonly string[]).includes(word);
}

function repeatable(
  mode: Mode,
  options: Pick<BenchOptions, "where" | "runs" | "trees" | "scratch">,
): string {
  const words = ["pnpm", "bench", mode];
  if (["operations", "grpc", "daemon-import", "nar", "cache", "mount", "latency"].includes(mode))
    words.push("--runs", String(options.runs));
  if (mode !== "primitives" || options.where === "disk") words.push("--where", options.where);
  if (mode !== "primitives" && mode !== "grpc" && options.trees !== undefined)
    words.push("--trees", "DIR");
  if (options.scratch !== undefined) words.push("--scratch", "DIR");
  return words.join(" ");
}
