import { createHash } from "node:crypto";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { noise } from "../cli/trees.js";

const MIB = 1024 * 1024;

/** A tree with something of everything; names and content are the same each time. */
export function buildTree(path: string): void {
  mkdirSync(join(path, "deep/er/still"), { recursive: true });
  mkdirSync(join(path, "empty directory"));
  mkdirSync(join(path, "many"));
  for (let i = 0; i < 400; i += 1) writeFileSync(join(path, "many", `file ${i}`), noise(i * 37, i));
  writeFileSync(join(path, "large"), noise(6 * MIB + 4321, 99));
  writeFileSync(join(path, "zeros"), new Uint8Array(3 * MIB));
  writeFileSync(join(path, "empty"), "");
  writeFileSync(join(path, "deep/er/still/grüße ✓"), "hello\n");
  writeFileSync(join(path, "run"), "#!/bin/sh\necho it runs\n");
  chmodSync(join(path, "run"), 0o755);
  symlinkSync("large", join(path, "link"));
  symlinkSync("nowhere/../at all", join(path, "deep/broken link"));
}

/**
 * What a guest says of the directory it is in, in lines: SHA-256 of what lists all names, of the content of all
 * files, of what links say, and of which files are executable.
 */
export const REPORT_SCRIPT = `
report() {
  echo "names $(find . -print0 | sort -z | sha256sum | cut -c-64)"
  echo "files $(find . -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -c-64)"
  echo "links $(find . -type l -print0 | sort -z | xargs -0 -n 1 readlink | sha256sum | cut -c-64)"
  echo "modes $(find . -type f -print0 | sort -z | xargs -0 stat -c '%a %s %n' | sha256sum | cut -c-64)"
}
`;

/** The lines that {@link REPORT_SCRIPT} says of a store path made of a tree. */
export function reportOf(path: string): readonly string[] {
  const names = namesBelow(path, ".");
  const files = names.filter((name) => lstatSync(join(path, name)).isFile());
  const links = names.filter((name) => lstatSync(join(path, name)).isSymbolicLink());
  return [
    `names ${sha256(names.map((name) => `${name}\0`).join(""))}`,
    `files ${sha256(files.map((name) => `${sha256(readFileSync(join(path, name)))}  ${name}\n`).join(""))}`,
    `links ${sha256(links.map((name) => `${readlinkSync(join(path, name))}\n`).join(""))}`,
    `modes ${sha256(files.map((name) => modeLine(path, name)).join(""))}`,
  ];
}

function modeLine(path: string, name: string): string {
  const { mode, size } = lstatSync(join(path, name));
  return `${(mode & 0o100) === 0 ? "444" : "555"} ${size} ${name}\n`;
}

/** In the order of their bytes. */
function namesBelow(root: string, name: string): readonly string[] {
  const inside = lstatSync(join(root, name)).isDirectory() ? readdirSync(join(root, name)) : [];
  const all = [name, ...inside.flatMap((child) => namesBelow(root, `${name}/${child}`))];
  return all.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

function sha256(bytes: string | Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
