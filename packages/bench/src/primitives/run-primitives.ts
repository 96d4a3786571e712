import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { describeMachine, type Machine } from "../machine.js";
import type { BenchOptions } from "../options.js";
import type { RunHost } from "../run-host.js";
import { Scratch } from "../scratch.js";
import { b3sumFigure, blake3Figures } from "./blake3.js";
import { chunkingFigures } from "./chunking.js";
import { directoryFigures } from "./directories.js";
import { localStoreFigures } from "./local-store.js";
import { narFigures } from "./nars.js";
import type { Figure } from "./sample.js";
import { treeFigures } from "./trees.js";

/** One run as it is saved. */
export interface PrimitivesRun {
  readonly kind: "primitives";
  readonly date: string;
  readonly command: string;
  readonly machine: Machine;
  readonly figures: readonly Figure[];
}

/** Measures everything below whole operations, in this process. */
export async function runPrimitives(
  options: BenchOptions,
  { say, signal }: RunHost,
): Promise<PrimitivesRun> {
  using scratch = new Scratch(options);
  const machine = describeMachine(scratch.folder);
  const stores = join(scratch.folder, "stores");
  mkdirSync(stores);
  const figures: Figure[] = [];
  const take = async (source: Iterable<Figure> | AsyncIterable<Figure>): Promise<void> => {
    for await (const figure of source) {
      // Ctrl-C is only heard when the event loop gets its turn.
      await setImmediate();
      signal.throwIfAborted();
      figures.push(figure);
      const value = figure.value?.toFixed(1) ?? "not installed";
      say(`${figure.group}: ${figure.row}: ${figure.column}: ${value}`);
    }
  };
  await take(blake3Figures());
  await take([await b3sumFigure(scratch.folder)]);
  await take(treeFigures());
  await take(chunkingFigures());
  await take(directoryFigures());
  await take(narFigures());
  await take(localStoreFigures(stores));
  return {
    kind: "primitives",
    date: new Date().toISOString(),
    command: options.command,
    machine,
    figures,
  };
}
