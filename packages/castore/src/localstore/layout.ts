import fs from "node:fs";
import path from "node:path";
import { CastoreError } from "../errors.js";
import { syncDirectory, writeFileDurably } from "./durable.js";

/** Version of the whole layout; a store that says another one is refused. */
const FORMAT_VERSION = 3;
const FORMAT_FILE = "FORMAT";

/** What may lie in a data directory whose FORMAT file was not written yet, after a crash. */
const EARLY_NAMES =
  /^(lock|lock\.json|lock-journal|packs|quarantine|FORMAT\.[\d-]+\.tmp|daemon\.sock)$/;

/** Where things are in a data directory. */
export interface StoreLayout {
  readonly directory: string;
  readonly index: string;
  readonly packs: string;
  readonly quarantine: string;
}

export function storeLayout(directory: string): StoreLayout {
  return {
    directory,
    index: path.join(directory, "meta.sqlite"),
    packs: path.join(directory, "packs"),
    quarantine: path.join(directory, "quarantine"),
  };
}

/**
 * Whether there is a store in the directory that this program can read.
 *
 * @returns false when there is none
 * @throws {@link CastoreError} "UNSUPPORTED" for another layout
 */
export function checkFormat(layout: StoreLayout): boolean {
  let text: string;
  try {
    text = fs.readFileSync(path.join(layout.directory, FORMAT_FILE), "utf8");
  } catch (error) {
    if (isNodeError(error, "ENOENT")) return false;
    throw fileError(error, `Cannot read the store in ${layout.directory}`);
  }
  const version = /^tvix-store (\d+)\n$/.exec(text)?.[1];
  if (version === undefined) {
    throw new CastoreError(
      "CORRUPT",
      `Cannot open the store in ${layout.directory}: its FORMAT file is damaged`,
    );
  }
  if (Number(version) !== FORMAT_VERSION) {
    throw new CastoreError(
      "UNSUPPORTED",
      `Cannot open the store in ${layout.directory}: it has format ${version}, this program knows ${FORMAT_VERSION}; ${Number(version) > FORMAT_VERSION ? "use a newer version of tvix" : "use the version of tvix that made it, or import its content again elsewhere"}`,
    );
  }
  return true;
}

/**
 * Makes the directories and the FORMAT file of a new store; does nothing where there is one.
 *
 * @throws {@link CastoreError} "INVALID_ARGUMENT" when the directory holds other things
 */
export function prepareDirectory(layout: StoreLayout): void {
  try {
    makeDirectory(path.resolve(layout.directory));
    if (!checkFormat(layout) && isFree(layout)) {
      writeFileDurably(layout.directory, FORMAT_FILE, `tvix-store ${FORMAT_VERSION}\n`);
    }
    if (!fs.existsSync(layout.packs)) {
      fs.mkdirSync(layout.packs, { recursive: true });
      syncDirectory(layout.directory);
    }
  } catch (error) {
    throw CastoreError.is(error)
      ? error
      : fileError(error, `Cannot make a store in ${layout.directory}`);
  }
}

/**
 * Makes a directory and those above it. Not by `recursive`: Node tries for ever where a directory that exists does
 * not have one made in it and says ENOENT, as those of `/proc` do.
 */
function makeDirectory(directory: string): void {
  const parent = path.dirname(directory);
  try {
    fs.mkdirSync(directory);
  } catch (error) {
    if (isDirectory(directory)) return;
    if (!isNodeError(error, "ENOENT") || fs.existsSync(parent)) throw error;
    makeDirectory(parent);
    makeDirectory(directory);
  }
}

function isDirectory(name: string): boolean {
  return fs.statSync(name, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** Whether a store can be made there: false when another process has just made one. */
function isFree(layout: StoreLayout): boolean {
  const other = fs.readdirSync(layout.directory).find((name) => !EARLY_NAMES.test(name));
  if (other === undefined) return true;
  if (checkFormat(layout)) return false;
  throw new CastoreError(
    "INVALID_ARGUMENT",
    `Cannot make a store in ${layout.directory}: the directory is not empty and not a store`,
  );
}

/** Moves the files of an index that cannot be used out of the way, for whoever wants to look at them. */
export function quarantineIndex(layout: StoreLayout): void {
  fs.mkdirSync(layout.quarantine, { recursive: true });
  const stamp = new Date().toISOString().replaceAll(":", "");
  for (const suffix of ["", "-wal", "-shm"]) {
    const file = layout.index + suffix;
    if (fs.existsSync(file)) {
      fs.renameSync(file, path.join(layout.quarantine, `meta-${stamp}.sqlite${suffix}`));
    }
  }
}

/** Whether `error` is one of the operating system with that code. */
export function isNodeError(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

/** An error of the file system as one of ours. */
export function fileError(cause: unknown, what: string): CastoreError {
  const text = cause instanceof Error ? cause.message : String(cause);
  const denied =
    isNodeError(cause, "EACCES") || isNodeError(cause, "EPERM") || isNodeError(cause, "EROFS");
  return new CastoreError(denied ? "PERMISSION_DENIED" : "STORAGE", `${what}: ${text}`, { cause });
}
