import { spawnSync } from "node:child_process";
import type { Command } from "../process/measure.js";

/** The programs, and settings of ours, that are compared. */
export type ToolId = "tvix" | "tvix-raw" | "nix" | "restic";

/** One way to store a tree. A store is a folder that belongs to it. */
export interface Tool {
  readonly id: ToolId;
  /** Heading of its column. */
  readonly label: string;
  /** What it calls itself and its version; `undefined` when it is not installed. */
  readonly version: string | undefined;
  /** What brings it, for the message that it is missing. */
  readonly source: string;
  /** Run before the first use of a store, unmeasured. */
  prepare(store: string): readonly Command[];
  /** Stores a tree. */
  add(store: string, tree: string): Command;
  /** Reads everything in a store and verifies it. */
  check(store: string): Command;
  /**
   * Writes a tree as a NAR to standard output: from the store where the tool can, else from disk.
   *
   * @param storePath - what {@link add} printed for the tree
   */
  dump?(store: string, tree: string, storePath: string): Command;
  /** What of the store's folder counts as its size. */
  content(store: string): string;
  /** Whether {@link add} prints a Nix store path. */
  readonly printsStorePath: boolean;
}

/** First line of what a program prints about its version; `undefined` when it does not run. */
export function versionOf(program: string, ...args: string[]): string | undefined {
  const { error, status, stdout } = spawnSync(program, args, { encoding: "utf8" });
  return error === undefined && status === 0 ? stdout.split("\n")[0]?.trim() : undefined;
}

/** The environment without what would change the settings of the compared programs. */
export function cleanEnvironment(
  set: Readonly<Record<string, string>>,
): Record<string, string | undefined> {
  const kept = Object.entries(process.env).filter(([name]) => !/^(NIX|RESTIC|TVIX)_/.test(name));
  return { ...Object.fromEntries(kept), ...set };
}
