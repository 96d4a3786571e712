import { setMaxListeners } from "node:events";
import type { Host, Invocation } from "../command.js";
import { EXIT, UsageError } from "../exit.js";
import { formatBytes, formatCount, plural } from "../format/quantities.js";
import { Progress } from "../io/progress.js";
import { type CopiedPath, copyClosure } from "./copy-closure.js";
import { type Ends, parseEnds } from "./ends.js";
import { planClosure } from "./plan.js";
import { withTransfer } from "./with-transfer.js";

/** Does what `tvix copy` promises. */
export async function copy(invocation: Invocation, host: Host): Promise<number> {
  const { options } = invocation;
  const ends = await parseEnds(invocation, host);
  const jobs = parseJobs(options.value("jobs")) ?? defaultJobs(ends);
  const isDryRun = options.has("dry-run");
  // A derived one, at which any number of requests may listen.
  const signal = AbortSignal.any([host.signal]);
  setMaxListeners(0, signal);
  await withTransfer(ends, { invocation, host, jobs, isDryRun }, async (transfer, wanted) => {
    using line = new Progress(host.stderr, { hidden: options.has("quiet") });
    const paths = await planClosure(wanted, transfer, {
      signal,
      isWithoutClosure: options.has("no-closure"),
      onFound: (count) => line.update(() => `found ${plural(count, "path")}`),
    });
    const totals = new Totals(paths.length);
    const onPath = async (copied: CopiedPath): Promise<void> => {
      totals.add(copied);
      line.update(() => totals.progress());
      if (options.has("json")) await host.stdout.json(jsonOf(copied, isDryRun));
    };
    if (isDryRun) for (const facts of paths) await onPath({ facts, bytesMoved: 0 });
    else await copyClosure(paths, transfer, { jobs, signal, onPath });
    await host.stdout.flush();
    host.stderr.status("");
    if (!options.has("quiet")) host.stderr.line(isDryRun ? totals.prospect() : totals.summary());
  });
  return EXIT.ok;
}

/**
 * Paths that are copied at a time, where nothing else is said: each waits for a few round trips, and between stores
 * little else has to be held for one.
 */
const DEFAULT_JOBS = { cache: 8, disk: 8, store: 64 } as const;

function defaultJobs({ other }: Ends): number {
  return DEFAULT_JOBS[other.kind];
}

function parseJobs(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,2}$/.test(text)) return Number(text);
  throw new UsageError(`option --jobs needs a number from 1 to 999, but it is "${text}"`);
}

function jsonOf({ facts, bytesMoved }: CopiedPath, isDryRun: boolean): Record<string, unknown> {
  const { storePath, narSize, isPresent } = facts;
  const path = storePath.toString();
  if (isDryRun) return { path, missing: !isPresent, narSize };
  return { path, copied: !isPresent, narSize, bytesMoved };
}

/** What a copy came to so far. */
class Totals {
  readonly #paths: number;
  #copied = 0;
  #present = 0;
  #bytesMoved = 0;
  #narBytes = 0n;
  #missingBytes = 0n;

  /** @param paths - how many there are in all */
  constructor(paths: number) {
    this.#paths = paths;
  }

  add({ facts, bytesMoved }: CopiedPath): void {
    if (facts.isPresent) this.#present++;
    else this.#copied++;
    this.#bytesMoved += bytesMoved;
    this.#narBytes += facts.narSize;
    if (!facts.isPresent) this.#missingBytes += facts.narSize;
  }

  progress(): string {
    const done = this.#copied + this.#present;
    return `${formatCount(done)} of ${plural(this.#paths, "path")}, ${formatBytes(this.#bytesMoved)} moved`;
  }

  /** What a dry run has to say. */
  prospect(): string {
    const size = formatBytes(Number(this.#missingBytes));
    return `would copy ${plural(this.#copied, "path")} with NARs of ${size}; ${formatCount(this.#present)} there already`;
  }

  summary(): string {
    const saved = this.#narBytes - BigInt(this.#bytesMoved);
    const parts = [
      `copied ${plural(this.#copied, "path")}`,
      `${formatBytes(this.#bytesMoved)} moved`,
      `${formatBytes(saved > 0n ? saved : 0n)} saved`,
    ];
    return `${parts.join(", ")}; ${formatCount(this.#present)} there already`;
  }
}
