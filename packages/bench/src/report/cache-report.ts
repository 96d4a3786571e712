import {
  CACHE_SIDES,
  type CacheRun,
  type CacheSide,
  type ClosureFacts,
  type CopiesRun,
  type NarCell,
  type NarinfoRun,
  type NarsRun,
} from "../cache/cache-run.js";
import {
  COPY_LIMIT,
  judgeCopies,
  judgeMemory,
  judgeNarinfo,
  MEMORY_GROWTH_LIMIT,
  NARINFO_SHARE,
} from "../cache/verdicts.js";
import { type Judgement, ratioOf } from "../judge.js";
import { summarize } from "../statistics.js";
import {
  formatCount,
  formatFigureSpread,
  formatLargest,
  formatMebibytes,
  formatMegabytes,
  formatRatio,
  formatSpread,
  formatVerdict,
  NONE,
  spreadTitle,
} from "./format.js";
import { machineReport } from "./machine-report.js";
import { markdownTable } from "./table.js";

/** One part of the comparison of caches as Markdown. */
export function cacheReport(run: CacheRun): string {
  const { date, command, versions } = run;
  const spread = spreadTitle(run.runs);
  return [machineReport(run.machine, { date, command, versions }), ...partReport(run, spread)].join(
    "\n\n",
  );
}

function partReport(run: CacheRun, spread: string): readonly string[] {
  switch (run.part) {
    case "copies":
      return [`**Copies of ${closureText(run.closure)}**: seconds, ${spread}`, copiesTable(run)];
    case "narinfo":
      return [
        `**Narinfos of ${closureText(run.closure)}, asked for in turn**: requests a second, ${spread}; milliseconds, medians`,
        narinfoTable(run),
      ];
    case "nars":
      return [
        `**Memory of the daemon, MiB, ${spread}**`,
        memoryTable(run),
        `**One NAR of one file that does not compress, in one request**: MB/s, ${spread}`,
        narsTable(run),
      ];
  }
}

function closureText({ paths, narBytes, largestBytes }: ClosureFacts): string {
  return `a closure of ${formatCount(paths)} paths, ${formatMegabytes(narBytes)} MB of NARs, the largest ${formatMegabytes(largestBytes)} MB`;
}

function verdictCells({ ratio, verdict }: Judgement, limit: string): string[] {
  return [formatRatio(ratio), limit, formatVerdict(verdict)];
}

const VERDICT_HEADS = ["tvix/nginx", "limit", "verdict"];

function copiesTable(run: CopiesRun): string {
  const rows = (["from", "to"] as const).map((direction) => {
    const cell = (side: CacheSide) =>
      run.cells.find((one) => one.direction === direction && one.side === side);
    return [
      `\`nix copy --${direction}\``,
      ...CACHE_SIDES.map((side) => formatSpread(cell(side)?.seconds ?? [])),
      ...verdictCells(judgeCopies(run, direction), `at most ${formatRatio(COPY_LIMIT)}`),
      ...CACHE_SIDES.map((side) => formatSpread(cell(side)?.clientCpuSeconds ?? [])),
      formatLargest(cell("tvix")?.serverPeakBytes ?? []),
    ];
  });
  const processor = ["processor time of Nix: tvix", "nginx"];
  const head = ["copy", "tvix", "nginx", ...VERDICT_HEADS, ...processor, "daemon, MiB"];
  return markdownTable({ head, rows });
}

function narinfoTable(run: NarinfoRun): string {
  const connections = [...new Set(run.cells.map((cell) => cell.connections))];
  const rows = connections.map((count) => {
    const results = (side: CacheSide) =>
      run.cells.find((cell) => cell.connections === count && cell.side === side)?.results ?? [];
    const rates = (side: CacheSide) => results(side).map((one) => one.requestsPerSecond);
    const median = (values: readonly number[]): string =>
      values.length === 0 ? NONE : summarize(values).median.toFixed(3);
    return [
      String(count),
      ...CACHE_SIDES.map((side) => formatFigureSpread(rates(side))),
      ...verdictCells(judgeNarinfo(run.cells, count), `at least ${formatRatio(NARINFO_SHARE)}`),
      ...CACHE_SIDES.flatMap((side) => [
        median(results(side).map((one) => one.p50Ms)),
        median(results(side).map((one) => one.p99Ms)),
      ]),
    ];
  });
  const latencies = ["p50: tvix", "p99: tvix", "p50: nginx", "p99: nginx"];
  const head = ["connections", "tvix", "nginx", ...VERDICT_HEADS, ...latencies];
  return markdownTable({ head, rows });
}

function memoryTable(run: NarsRun): string {
  const sizes = sizesOf(run);
  const rows = (["put", "get"] as const).map((direction) => [
    direction.toUpperCase(),
    ...sizes.map((bytes) =>
      formatFigureSpread(peaksOf(run, direction, bytes).map((peak) => peak / 1024 / 1024)),
    ),
    ...verdictCells(judgeMemory(run, direction), `at most ${formatRatio(MEMORY_GROWTH_LIMIT)}`),
  ]);
  const heads = sizes.map((bytes) => `NAR of ${formatMebibytes(bytes)} MiB`);
  return markdownTable({ head: ["", ...heads, "last/first", "limit", "verdict"], rows });
}

function peaksOf(
  { cells }: NarsRun,
  direction: NarCell["direction"],
  bytes: number,
): readonly number[] {
  return cells
    .filter((cell) => cell.direction === direction && cell.narBytes === bytes)
    .flatMap((cell) => cell.serverPeakBytes);
}

function narsTable(run: NarsRun): string {
  const rows = (["put", "get"] as const).flatMap((direction) =>
    sizesOf(run).map((bytes) => {
      const rates = (side: CacheSide) =>
        run.cells
          .filter((cell) => cell.direction === direction && cell.side === side)
          .filter((cell) => cell.narBytes === bytes)
          .flatMap((cell) => cell.seconds.map((seconds) => bytes / 1e6 / seconds));
      const [ours, theirs] = [rates("tvix"), rates("nginx")];
      const title = `${direction.toUpperCase()}, ${formatMebibytes(bytes)} MiB`;
      return [
        title,
        formatFigureSpread(ours),
        formatFigureSpread(theirs),
        formatRatio(ratioOf(ours, theirs)),
      ];
    }),
  );
  return markdownTable({ head: ["", "tvix", "nginx", "tvix/nginx"], rows });
}

function sizesOf({ cells }: NarsRun): readonly number[] {
  return [...new Set(cells.map((cell) => cell.narBytes))].sort((a, b) => a - b);
}
