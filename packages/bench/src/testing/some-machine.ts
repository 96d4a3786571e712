import type { Machine } from "../machine.js";

/** A machine that runs were made on, where it does not matter which. */
export const SOME_MACHINE: Machine = {
  cores: 2,
  cpu: "Some CPU",
  memoryBytes: 2 ** 33,
  kernel: "Linux 6",
  fileSystem: "tmpfs",
  node: "v20",
  native: [],
  commit: undefined,
  load: 0.1,
};
