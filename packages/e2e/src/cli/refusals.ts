import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { file } from "./trees.js";

/** Something that Nix refuses, and what tvix has to say about it. */
export interface Refusal {
  readonly about: string;
  readonly name?: string;
  /** Must be in the message. */
  readonly says: RegExp;
  readonly needsRoot?: boolean;
  build(path: string): void | Promise<void>;
}

function special(...command: readonly string[]): (path: string) => void {
  const [program = "", ...args] = command;
  return (path) => {
    const { status, stderr } = spawnSync(
      program,
      args.map((arg) => (arg === "PATH" ? path : arg)),
      { encoding: "utf8" },
    );
    if (status !== 0) throw new Error(`${program} failed: ${stderr}`);
  };
}

function inside(
  name: string,
  build: (path: string) => void | Promise<void>,
): (path: string) => void | Promise<void> {
  return (path) => {
    mkdirSync(path);
    writeFileSync(join(path, "before"), "x");
    return build(join(path, name));
  };
}

/** Leaves the socket behind, as a process that is killed does. */
function socket(path: string): void {
  const script =
    "require('node:net').createServer().listen(process.argv[1],()=>process.kill(process.pid,'SIGKILL'))";
  spawnSync(process.execPath, ["-e", script, path]);
}

/** Of each kind one. */
export const REFUSALS: readonly Refusal[] = [
  { about: "a named pipe", name: "pipe", says: /pipe/, build: special("mkfifo", "PATH") },
  {
    about: "a named pipe in a directory",
    says: /tree\/fifo/,
    build: inside("fifo", special("mkfifo", "PATH")),
  },
  { about: "a socket in a directory", says: /tree\/socket/, build: inside("socket", socket) },
  {
    about: "a device in a directory",
    needsRoot: true,
    says: /tree\/null/,
    build: inside("null", special("mknod", "PATH", "c", "1", "3")),
  },
  {
    about: "a block device",
    needsRoot: true,
    name: "disk",
    says: /disk/,
    build: special("mknod", "PATH", "b", "7", "0"),
  },
  { about: "a name with a blank", name: "a b", says: /a b.*0-9 a-z A-Z/, build: file("x") },
  { about: "a name with a colon", name: "a:b", says: /a:b.*0-9 a-z A-Z/, build: file("x") },
  {
    about: "a name that is not ASCII",
    name: "caf\u00e9",
    says: /caf.*0-9 a-z A-Z/,
    build: file("x"),
  },
  { about: "a name with an at sign", name: "a@b", says: /a@b.*0-9 a-z A-Z/, build: file("x") },
  { about: "a name of 212 characters", name: "m".repeat(212), says: /212.*211/, build: file("x") },
  {
    about: "a name that only derivations have",
    name: "x.drv",
    says: /\.drv/,
    build: file("not a derivation"),
  },
];
