import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { LocalStore } from "@tvix/castore/local";
import type { Composition } from "@tvix/composition";
import { LocalPathInfoService } from "@tvix/store/local";
import { SYMLINK_NODE } from "@tvix/store/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { composedParts, localParts } from "./store-parts.js";

let directory: string;
let local: LocalStore;

beforeEach(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), "tvix-parts-"));
  local = await LocalStore.open(directory);
});

afterEach(async () => {
  await local.close();
  await rm(directory, { recursive: true });
});

/** What is elsewhere, whose NARs are what `narCalculation` says. */
function composition(narCalculation?: Composition["narCalculation"]): Composition {
  const { blobs, directories } = local;
  const pathInfos = LocalPathInfoService.of(local);
  const close = async (): Promise<void> => {};
  return {
    ...{ blobs, directories, pathInfos, close, [Symbol.asyncDispose]: close },
    ...(narCalculation && { narCalculation }),
  };
}

describe("composedParts()", () => {
  const said = { narSize: 1n, narSha256: new Uint8Array(32) };

  it("remembers what another store says of NARs, and not as something that was computed here", async () => {
    let asked = 0;
    const calculateNar = async () => {
      asked++;
      return said;
    };
    const composed = composedParts(composition({ calculateNar, remember: async () => {} }), local);
    for (let i = 0; i < 2; i++) {
      expect(await composed.calculateNar.calculateNar(SYMLINK_NODE)).toEqual(said);
    }
    expect(asked).toBe(1);
    const own = await localParts(local, directory).calculateNar.calculateNar(SYMLINK_NODE);
    expect(own.narSize).toBeGreaterThan(1n);
  });

  it("shares with the data directory what was computed here", async () => {
    const composed = composedParts(composition(), local);
    const computed = await composed.calculateNar.calculateNar(SYMLINK_NODE);
    expect(await localParts(local, directory).calculateNar.recall(SYMLINK_NODE)).toEqual(computed);
  });
});
