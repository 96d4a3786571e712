import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { StorePath } from "@tvix/store";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { noise } from "../cli/trees.js";
import { Sandbox } from "../cli/tvix.js";
import { PythonClient, pythonMissing } from "../daemon/python-client.js";
import { type Daemon, startDaemon } from "../daemon/start-daemon.js";

/** Directories that differ: two are empty. */
const DIRECTORIES = 5;

let sandbox: Sandbox;
let python: PythonClient;
let origin: Daemon;
let cache: Daemon;

beforeAll(async () => {
  if (pythonMissing !== undefined) return;
  sandbox = await Sandbox.create();
  python = await PythonClient.create();
  origin = await startDaemon();
  const directory = sandbox.path("cache");
  mkdirSync(directory);
  const near = encodeURIComponent(`local://${directory}`);
  const far = encodeURIComponent(`grpc+unix://${origin.socketPath}`);
  const args = ["--store", `cache:?near=${near}&far=${far}`];
  cache = await startDaemon({ dataDirectory: directory, args });
  buildTree(sandbox.path("tree"));
});

afterAll(async () => {
  await cache?.[Symbol.asyncDispose]();
  await origin?.[Symbol.asyncDispose]();
  await python?.[Symbol.asyncDispose]();
  await sandbox?.remove();
});

function buildTree(path: string): void {
  mkdirSync(join(path, "a/b/c/d"), { recursive: true });
  mkdirSync(join(path, "empty"));
  for (let i = 0; i < 20; i++) writeFileSync(join(path, `a/b/c/file${i}`), `content ${i % 7}`);
  writeFileSync(join(path, "a/large"), noise(1_200_000, 3));
  writeFileSync(join(path, "a/zero"), "");
  symlinkSync("a/large", join(path, "link"));
}

describe.skipIf(pythonMissing !== undefined)("a client that reads as the reference does", () => {
  it.each([
    ["the daemon that has the store", () => origin],
    ["one that keeps what it reads there", () => cache],
    ["the same with nothing to ask for", () => cache],
  ])("gets every byte from %s", async (_, daemon) => {
    const store = ["--store", `grpc+unix://${origin.socketPath}`];
    const rule = ["--directory-size-rule", "doubled"];
    const imported = await sandbox.text(["import", ...rule, ...store, "tree"]);
    const hash = Buffer.from(StorePath.parseAbsolute(imported).digestBytes()).toString("hex");
    const lines = await python.run("reference_client.py", `unix:${daemon().socketPath}`, hash);
    expect(lines.get(hash)).toEqual({ name: hash, directories: DIRECTORIES, same: true });
  });
});
