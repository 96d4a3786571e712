import { spawnSync } from "node:child_process";
import { describeMachine } from "../machine.js";
import { versionOf } from "../operations/tool.js";
import { type BenchOptions, commandOfPart } from "../options.js";
import { TVIX } from "../paths.js";
import type { RunHost } from "../run-host.js";
import { Scratch } from "../scratch.js";
import { warmMemory } from "../warm-memory.js";
import { type CacheMaterials, makeMaterials } from "./cache-materials.js";
import {
  CACHE_PARTS,
  type CachePart,
  type CacheRun,
  type ClosureFacts,
  type RunHead,
} from "./cache-run.js";
import { runCopies } from "./run-copies.js";
import { runNarinfo } from "./run-narinfo.js";
import { runNars } from "./run-nars.js";
import type { Session } from "./session.js";
import { FULL_SIZES, QUICK_SIZES } from "./sizes.js";

/** The closure as files, NARs and packs, each side's fresh copy, and a large NAR in the meantime. */
const NEEDED_BYTES = 5e9;

/** Runs all parts, or the one that was asked for: the cache of our daemon next to files of nginx. */
export async function runCache(options: BenchOptions, host: RunHost): Promise<CacheRun[]> {
  const versions = peerVersions();
  using scratch = new Scratch(options);
  const sizes = options.quick ? QUICK_SIZES : FULL_SIZES;
  if (!options.quick) {
    if (scratch.freeBytes < NEEDED_BYTES) {
      throw new Error(`Cannot measure: ${NEEDED_BYTES / 1e9} GB are needed in the scratch folder`);
    }
    host.say("Warming up the memory");
    warmMemory(NEEDED_BYTES);
  }
  const session = { scratch, host, runs: options.runs, sizes };
  const done: CacheRun[] = [];
  let materials: CacheMaterials | undefined;
  for (const part of options.part === undefined ? CACHE_PARTS : [options.part]) {
    if (part !== "nars") materials ??= await makeMaterials(session, options);
    const head = {
      kind: "cache",
      date: new Date().toISOString(),
      command: commandOfPart(options, part),
      runs: options.runs,
      machine: describeMachine(scratch.folder),
      versions,
    } as const;
    done.push({ ...head, ...(await runPart(part, session, materials)) });
  }
  return done;
}

type PartOf<R> = R extends CacheRun ? Omit<R, keyof RunHead> : never;

async function runPart(
  part: CachePart,
  session: Session,
  materials: CacheMaterials | undefined,
): Promise<PartOf<CacheRun>> {
  if (part === "nars") return { part, cells: await runNars(session) };
  if (materials === undefined) throw new TypeError("Cannot measure: there is no closure");
  const closure = factsOf(materials.closures.measured);
  return part === "copies"
    ? { part, closure, cells: await runCopies(session, materials) }
    : { part, closure, cells: await runNarinfo(session, materials) };
}

function factsOf({ paths, narBytes, largestBytes }: ClosureFacts): ClosureFacts {
  return { paths, narBytes, largestBytes };
}

/** @throws Error when one of the programs is missing */
function peerVersions(): readonly string[] {
  return [
    versionOf(TVIX, "--version") ?? missing("tvix", "pnpm build"),
    versionOf("nix", "--version") ?? missing("nix", "Debian package nix-bin"),
    words("nginx", /nginx\/[\d.]+/) ?? missing("nginx", "Debian package nginx"),
    words("wrk", /wrk \S+/) ?? missing("wrk", "Debian package wrk"),
    versionOf("curl", "--version")?.split(" (")[0] ?? missing("curl", "Debian package curl"),
  ];
}

/** Both print their version where others print errors, or end as if something were wrong. */
function words(program: string, pattern: RegExp): string | undefined {
  const { error, stdout, stderr } = spawnSync(program, ["-v"], { encoding: "utf8" });
  return error === undefined ? pattern.exec(stdout + stderr)?.[0] : undefined;
}

function missing(program: string, source: string): never {
  throw new Error(`Cannot measure: ${program} is not installed (${source})`);
}
