import type { Command } from "../process/measure.js";
import { editTree } from "../trees/edit-tree.js";
import { T3_EDIT_OFFSET } from "../trees/make-trees.js";
import type { Tool } from "./tool.js";
import { tvixCommand } from "./tvix-tool.js";

/** Names an operation in saved runs and targets. */
export type OperationId =
  | "start"
  | "add-t1"
  | "again-t1"
  | "add-t3"
  | "add-t2"
  | "add-edited"
  | "dump-t1"
  | "check"
  | "add-t2-alone";

/** What the operations of one tool in one round work on. */
export interface Workplace {
  /** A copy of T1 that nobody else uses, edited towards the end. */
  readonly T1: string;
  readonly T2: string;
  readonly T3: string;
  /** The store of the operation. */
  readonly store: string;
  /** The store path of T1; empty for a tool that has none. */
  readonly storePath: string;
}

/** One row of the comparison. */
export interface Operation {
  readonly id: OperationId;
  readonly title: string;
  /** Which of a tool's two stores it uses: the one that nearly everything goes to, or the second. */
  readonly store: "main" | "second";
  /** Whether a tree is added, so that store path, memory and size are of interest. */
  readonly adds: boolean;
  /** How often it runs in a round: more than once where it is over in no time. */
  readonly repeat: number;
  /** Changes made before, unmeasured. */
  before?(place: Workplace): void;
  /** `undefined` when the tool cannot do it. */
  command(tool: Tool, place: Workplace): Command | undefined;
}

/** Files edited in place are not those in which T3 differs, or their content would be known. */
const IN_PLACE_EDIT_OFFSET = (T3_EDIT_OFFSET + 50) % 100;

const ADD_TO_MAIN = { store: "main", adds: true, repeat: 1 } as const;
const READ_MAIN = { store: "main", adds: false, repeat: 1 } as const;

/** All operations, in the order in which each round runs them. */
export const OPERATIONS: readonly Operation[] = [
  {
    id: "start",
    title: "`tvix --version`",
    ...READ_MAIN,
    repeat: 5,
    command: (tool) => (tool.id === "tvix" ? tvixCommand("--version") : undefined),
  },
  {
    id: "add-t1",
    title: "T1 into a fresh store",
    ...ADD_TO_MAIN,
    command: (tool, { store, T1 }) => tool.add(store, T1),
  },
  {
    id: "again-t1",
    title: "T1 again, unchanged",
    ...ADD_TO_MAIN,
    command: (tool, { store, T1 }) => tool.add(store, T1),
  },
  {
    id: "dump-t1",
    title: "NAR of T1, to /dev/null",
    ...READ_MAIN,
    command: (tool, { store, T1, storePath }) => tool.dump?.(store, T1, storePath),
  },
  {
    id: "add-t3",
    title: "T3 into the store with T1",
    ...ADD_TO_MAIN,
    command: (tool, { store, T3 }) => tool.add(store, T3),
  },
  {
    id: "add-t2",
    title: "T2 into the store with T1 and T3",
    ...ADD_TO_MAIN,
    command: (tool, { store, T2 }) => tool.add(store, T2),
  },
  {
    id: "add-edited",
    title: "T1 with another 1 % edited in place",
    ...ADD_TO_MAIN,
    before: ({ T1 }) => {
      editTree(T1, IN_PLACE_EDIT_OFFSET);
    },
    command: (tool, { store, T1 }) => tool.add(store, T1),
  },
  {
    id: "check",
    title: "check of the store, every byte",
    ...READ_MAIN,
    command: (tool, { store }) => tool.check(store),
  },
  {
    id: "add-t2-alone",
    title: "T2 into a fresh store",
    ...ADD_TO_MAIN,
    store: "second",
    command: (tool, { store, T2 }) => tool.add(store, T2),
  },
];
