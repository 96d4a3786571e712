import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PackedInstall } from "./packed-install.js";
import { computeVectors, EXPECTED } from "./vectors.js";

const source = (file: string): string => join(import.meta.dirname, file);

describe("@tvix/castore and @tvix/store", () => {
  it("compute the digests, NARs and store paths that tvix and Nix compute", async () => {
    expect(await computeVectors()).toEqual(EXPECTED);
  });
});

describe("the packed packages, installed without scripts in an empty folder", () => {
  let install: PackedInstall;

  beforeAll(async () => {
    install = await PackedInstall.create();
  });

  afterAll(async () => {
    await install?.[Symbol.asyncDispose]();
  });

  it("hold what users need, and no tests", () => {
    const needed = ["package.json", "README.md", "LICENSE"];
    for (const { name, files } of install.packages) {
      const missing = needed.filter((file) => !files.includes(file));
      const needless = files.filter((file) => /\.test\.|tsbuildinfo/.test(file));
      expect({ name, missing, needless }).toEqual({ name, missing: [], needless: [] });
    }
  });

  it("work in a strict TypeScript program that knows nothing of Node", async () => {
    await install.compile([source("vectors.ts"), source("program.ts")], []);
    expect(JSON.parse(await install.run("program.js"))).toEqual(EXPECTED);
  });

  it("have entries for Node whose declarations compile without skipLibCheck", async () => {
    await install.compile([source("node-entries.ts")], ["node"]);
  });
});
