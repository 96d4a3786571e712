import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { putBytes } from "@tvix/castore";
import { LocalStore } from "@tvix/castore/local";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { composeAddresses } from "../document/compose-addresses.js";
import { planComposition } from "../plan/plan-composition.js";
import { pairRegistry } from "../testing/pair-registry.js";
import { openComposition } from "./open-composition.js";
import { StoreResources } from "./store-resources.js";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "tvix-composition-"));
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

async function openAt(
  addresses: { blobs: string; directories: string; pathInfos: string },
  events: string[] = [],
) {
  const registry = pairRegistry(events);
  const written = (address: string) => ({ address, place: "test" });
  const document = composeAddresses(
    {
      blobs: written(addresses.blobs),
      directories: written(addresses.directories),
      pathInfos: written(addresses.pathInfos),
    },
    directory,
  );
  const resources = new StoreResources({
    openLocal: async (path) => {
      events.push(`store ${path}`);
      return await LocalStore.open(path);
    },
    closeMs: 5000,
  });
  return await openComposition(planComposition(document, registry), {
    resources,
    dataDirectory: () => directory,
  });
}

describe("openComposition()", () => {
  it("opens one store for a directory, however often it is named", async () => {
    const events: string[] = [];
    const store = await openAt(
      { blobs: "local:", directories: `local://${directory}`, pathInfos: `local:${directory}` },
      events,
    );
    expect(events).toEqual([`store ${directory}`]);
    expect(store.local).toBeInstanceOf(LocalStore);
    expect(store.maintenance).toBeDefined();
    const digest = await putBytes(store.blobs, new Uint8Array([1, 2, 3]));
    await store.close();

    const again = await openAt({ blobs: "local:", directories: "local:", pathInfos: "local:" });
    expect(await again.blobs.has(digest)).toBe(true);
    await again.close();
  });

  it("offers what one store can do only where nothing else takes part", async () => {
    const store = await openAt({ blobs: "memory:", directories: "local:", pathInfos: "local:" });
    expect(store.local).toBeUndefined();
    expect(store.maintenance).toBeUndefined();
    expect(store.narCalculation).toBeUndefined();
    await store.close();
  });

  it("offers what a server can do", async () => {
    const address = "grpc+unix:///run/nowhere.sock";
    const store = await openAt({ blobs: address, directories: address, pathInfos: address });
    expect(store.maintenance).toBeDefined();
    expect(store.narCalculation).toBeDefined();
    await store.close();
  });

  it("opens each service once, and closes the last first", async () => {
    const events: string[] = [];
    const inner = "pair:?near=local:";
    const pair = `pair:?near=${encodeURIComponent(inner)}&far=${encodeURIComponent(inner)}`;
    const store = await openAt(
      { blobs: pair, directories: "memory:", pathInfos: "memory:" },
      events,
    );
    await store.close();
    await store.close();
    const [outer, nested] = ["test", JSON.stringify(inner)];
    expect(outer).toBe("test");
    expect(events).toEqual([
      "open blobservices.root",
      `open ${nested}`,
      `store ${directory}`,
      `close ${nested}`,
      "close blobservices.root",
    ]);
  });

  it("closes what is open when something else cannot be opened", async () => {
    const events: string[] = [];
    const opening = openAt(
      {
        blobs: "pair:?near=local:",
        directories: "memory:",
        pathInfos: "grpc+http://localhost:1?token_file=/nowhere/token",
      },
      events,
    );
    await expect(opening).rejects.toThrow("cannot read /nowhere/token: no such file or directory");
    expect(events.at(-1)).toBe("close blobservices.root");
  });
});
