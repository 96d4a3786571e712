import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runLine } from "../testing/run-line.js";

describe("tvix virtiofs", () => {
  let directory = "";

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "tvix-virtiofs-"));
  });

  afterEach(async () => {
    await rm(directory, { recursive: true });
  });

  it.each([
    ["no socket", [], "name the socket"],
    ["an empty socket", [""], "name the socket"],
    ["an empty --socket", ["--socket", ""], "name the socket"],
    ["two sockets", ["--socket", "a", "b", "c"], "the socket is named twice"],
    ["an owner that is none", ["--uid-gid", "root", "a"], "--uid-gid needs two numbers"],
    ["no number of threads", ["--threads", "0", "a"], "--threads needs a number"],
    ["a target that is none", ["a", "no target"], "no target"],
  ])("does not understand %s", async (_, words, message) => {
    const { status, stderr } = await runLine(directory, "virtiofs", ...words);
    expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining(message) });
  });

  it.each([
    ["as an argument", (path: string) => [path]],
    ["as an option", (path: string) => ["--socket", path]],
  ])("takes no place that something else has, named %s", async (_, words) => {
    const path = join(directory, "file");
    await writeFile(path, "");
    const { status, stderr } = await runLine(directory, "virtiofs", ...words(path));
    expect(stderr).toContain("it is no socket");
    expect(status).toBe(1);
  });
});
