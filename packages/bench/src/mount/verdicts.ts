import { type Judgement, judge } from "../judge.js";
import type { FileSystemId, MountCell, MountRun, Temperature, WorkId } from "./mount-run.js";

/** What a row is held against. */
export interface MountTarget {
  readonly other: FileSystemId;
  /** The most that we may take of its time. */
  readonly most: number;
}

/**
 * What is read for the first time, against the nearest peer; what is in memory, against the kernel's own
 * file system, with room for noise.
 */
export const TARGETS: Readonly<Record<Temperature, MountTarget>> = {
  cold: { other: "squashfuse", most: 1 },
  warm: { other: "native", most: 1.1 },
};

/** Most memory that a mount may take after a million entries were looked at, in bytes. */
export const MEMORY_LIMIT: number = 300 * 1024 * 1024;

/** The times of one row and column. */
export function secondsOf(
  { cells }: Pick<MountRun, "cells">,
  where: Omit<MountCell, "seconds">,
): readonly number[] {
  return (
    cells.find(
      ({ fileSystem, work, temperature }) =>
        fileSystem === where.fileSystem && work === where.work && temperature === where.temperature,
    )?.seconds ?? []
  );
}

/** Holds the median time of a work through our mount against its target. */
export function judgeWork(
  run: Pick<MountRun, "cells">,
  row: { readonly work: WorkId; readonly temperature: Temperature },
): Judgement {
  const { other, most } = TARGETS[row.temperature];
  const seconds = (fileSystem: FileSystemId) => secondsOf(run, { ...row, fileSystem });
  return judge(seconds("tvix"), seconds(other), (ratio) => ratio <= most);
}
