// Runs before `pnpm install` does anything: says what the native addons will need and is not there.
// Plain JavaScript, because nothing is installed yet that could compile it. Never fails: on a
// machine where an addon is already in pnpm's cache, nothing is compiled.
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/**
 * Whether PATH has an executable of one of these names.
 * @param {readonly string[]} names
 */
function isOnPath(names) {
  const directories = (process.env["PATH"] ?? "").split(delimiter);
  return names.some((name) => directories.some((directory) => isExecutable(join(directory, name))));
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const TOOLS = [
  { label: "python3", names: ["python3", "python"] },
  { label: "make", names: ["make", "gmake"] },
  { label: "a C++ compiler", names: ["c++", "g++", "clang++"] },
];

const missing = TOOLS.filter((tool) => !isOnPath(tool.names)).map((tool) => tool.label);
if (missing.length > 0) {
  console.warn(
    [
      `Not found: ${missing.join(", ")}.`,
      "better-sqlite3 (the local store) and zstd-napi (faster compression) are compiled during this",
      "install and need all of python3, make and a C++ compiler. On Debian:",
      "  apt-get install python3 make g++",
      "",
    ].join("\n"),
  );
}
