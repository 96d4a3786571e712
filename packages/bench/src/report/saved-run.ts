import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CacheRun } from "../cache/cache-run.js";
import type { DaemonImportRun } from "../daemon-import/run-daemon-import.js";
import type { GrpcRun } from "../grpc/grpc-run.js";
import type { LatencyRun } from "../latency/latency-run.js";
import type { MountRun } from "../mount/mount-run.js";
import type { NarRun } from "../nar/run-nar.js";
import type { OperationsRun } from "../operations/operations-run.js";
import { isMode } from "../options.js";
import { PERFORMANCE_DOCUMENT, RESULTS } from "../paths.js";
import type { PrimitivesRun } from "../primitives/run-primitives.js";
import type { ProfileRun } from "../profile/run-profile.js";
import { cacheReport } from "./cache-report.js";
import { daemonImportReport } from "./daemon-import-report.js";
import { replaceBlock } from "./document-block.js";
import { grpcReport } from "./grpc-report.js";
import { latencyReport } from "./latency-report.js";
import { mountReport } from "./mount-report.js";
import { narReport } from "./nar-report.js";
import { operationsReport } from "./operations-report.js";
import { primitivesReport } from "./primitives-report.js";
import { profileReport } from "./profile-report.js";

/** A run of any kind. */
export type BenchRun =
  | OperationsRun
  | PrimitivesRun
  | ProfileRun
  | GrpcRun
  | DaemonImportRun
  | NarRun
  | CacheRun
  | LatencyRun
  | MountRun;

/** Where the run's tables stand in the document. */
function blockName(run: BenchRun): string {
  if (run.kind === "cache") return `${run.kind}-${run.part}`;
  return run.kind === "operations" || run.kind === "grpc" || run.kind === "mount"
    ? `${run.kind}-${run.where}`
    : run.kind;
}

/** The tables of a run, as Markdown. */
export function report(run: BenchRun): string {
  switch (run.kind) {
    case "operations":
      return operationsReport(run);
    case "primitives":
      return primitivesReport(run);
    case "profile":
      return profileReport(run);
    case "grpc":
      return grpcReport(run);
    case "daemon-import":
      return daemonImportReport(run);
    case "nar":
      return narReport(run);
    case "cache":
      return cacheReport(run);
    case "latency":
      return latencyReport(run);
    case "mount":
      return mountReport(run);
  }
}

/** Keeps a run for later. @returns the file */
export function saveRun(run: BenchRun): string {
  mkdirSync(RESULTS, { recursive: true });
  const time = run.date.slice(0, 19).replaceAll(":", "-");
  const file = join(RESULTS, `${time}-${blockName(run)}.json`);
  writeFileSync(file, `${JSON.stringify(run, undefined, 1)}\n`);
  return file;
}

/** @throws Error when the file does not hold a run */
export function loadRun(file: string): BenchRun {
  const run = JSON.parse(readFileSync(file, "utf8")) as BenchRun;
  if (!isMode(run.kind)) throw new Error(`Cannot report ${file}: it is not a saved run`);
  return run;
}

/** Refreshes the tables of docs/performance.md. */
export function writeDocument(run: BenchRun): void {
  const document = readFileSync(PERFORMANCE_DOCUMENT, "utf8");
  writeFileSync(PERFORMANCE_DOCUMENT, replaceBlock(document, blockName(run), report(run)));
}
