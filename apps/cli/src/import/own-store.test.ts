import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UsageError } from "../exit.js";
import { checkOutsideStore } from "./own-store.js";

let directory = "";

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "tvix-own-store-"));
  await mkdir(join(directory, "home", "data"), { recursive: true });
  await mkdir(join(directory, "home2"));
  await symlink("home", join(directory, "link"));
});

afterAll(async () => {
  await rm(directory, { recursive: true });
});

function check(source: string, store: string): void {
  const path = new TextEncoder().encode(join(directory, source));
  checkOutsideStore([{ path, name: "x" }], join(directory, store));
}

describe("checkOutsideStore()", () => {
  it.each([
    ["the store's directory", "home", "home/data"],
    ["one above it", ".", "home/data"],
    ["the store itself", "home/data", "home/data"],
    ["a place where the store will be", "home", "home/new/data"],
    ["the store's directory, reached by a link", "home", "link/data"],
  ])("refuses %s", (_, source, store) => {
    expect(() => check(source, store)).toThrow(UsageError);
  });

  it.each([
    ["a directory beside it", "home2", "home/data"],
    ["one whose name only begins like it", "home", "home2/data"],
    ["one inside it", "home/data", "home"],
    ["a link to it, which is not followed", "link", "home/data"],
  ])("takes %s", (_, source, store) => {
    expect(() => check(source, store)).not.toThrow();
  });

  it("refuses the root directory", () => {
    const root = [{ path: new TextEncoder().encode("/"), name: "x" }];
    expect(() => checkOutsideStore(root, join(directory, "home", "data"))).toThrow(UsageError);
  });
});
