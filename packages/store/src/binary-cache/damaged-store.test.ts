import { mkdtemp, readdir, readFile, rm, unlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DirectoryNode, toUtf8 } from "@tvix/castore";
import { LocalStore } from "@tvix/castore/local";
import { seededBytes } from "@tvix/castore/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RememberedNarCalculation } from "../nar/remembered-nar-calculation.js";
import { RenderedNarCalculation } from "../nar/rendered-nar-calculation.js";
import { LocalNarRoots } from "../nar-roots/local.js";
import { LocalPathInfoService } from "../pathinfoservice/local.js";
import { type MemoryTree, referenceNar } from "../testing/nar-reference.js";
import { storeTree } from "../testing/tree-arbitrary.js";
import { BinaryCache } from "./binary-cache.js";
import { castoreNarUrl } from "./castore-nar-url.js";
import { nodeHandler } from "./http/node-handler.js";

/** A pack is sealed at this size, so that there are several. */
const PACK_LIMIT = 512 * 1024;

/** Only small files: what comes first is read whole before the response begins. */
const SMALL: MemoryTree = {
  type: "directory",
  entries: [
    [toUtf8("a"), { type: "file", executable: false, content: seededBytes(1, 3000) }],
    [toUtf8("b"), { type: "file", executable: false, content: seededBytes(2, 3000) }],
  ],
};
/** A file of many chunks, in more than one pack. */
const LARGE: MemoryTree = {
  type: "directory",
  entries: [
    [toUtf8("large"), { type: "file", executable: false, content: seededBytes(3, 6_000_000) }],
  ],
};

let directory: string;
const closers: (() => Promise<void> | void)[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "tvix-damaged-"));
});

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  await rm(directory, { recursive: true });
});

/** Stores a tree and closes the store. @returns the path of its NAR */
async function write(tree: MemoryTree): Promise<string> {
  await using store = await LocalStore.open(directory, { packLimit: PACK_LIMIT });
  const node = (await storeTree(store, tree)) as DirectoryNode;
  return `/${castoreNarUrl(node, BigInt(referenceNar(tree).byteLength))}`;
}

/** The packs, in the order in which they were written. */
async function packs(): Promise<readonly string[]> {
  const names = (await readdir(join(directory, "packs"))).sort();
  return names.map((name) => join(directory, "packs", name));
}

/** Serves the store. @returns its URL */
async function serve(): Promise<string> {
  const local = await LocalStore.open(directory, { readOnly: true, recover: true });
  closers.push(() => local.close());
  const cache = new BinaryCache({
    blobs: local.blobs,
    directories: local.directories,
    pathInfos: new LocalPathInfoService(local.pathInfoRecords, { roots: local }),
    narRoots: new LocalNarRoots(local),
    calculateNar: new RememberedNarCalculation(
      new RenderedNarCalculation(local),
      local.derived("nar"),
    ),
    values: local,
  });
  const server = createServer(nodeHandler(cache)).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** What a client sees: the status, and whether a body came to its end. */
async function get(url: string): Promise<readonly [status: number, body: "whole" | "broken off"]> {
  const response = await fetch(url);
  try {
    await response.arrayBuffer();
    return [response.status, "whole"];
  } catch {
    return [response.status, "broken off"];
  }
}

describe("a NAR of a store that was damaged", () => {
  it("is not found when a pack with some of its chunks is gone, and the index knows", async () => {
    const path = await write(LARGE);
    const all = await packs();
    expect(all.length).toBeGreaterThan(4);
    await unlink(String(all[2]));
    for (const name of await readdir(directory)) {
      if (name.startsWith("meta.sqlite")) await unlink(join(directory, name));
    }
    const url = await serve();
    for (let i = 0; i < 2; i++) {
      const response = await fetch(url + path);
      expect([response.status, await response.text()]).toEqual([
        404,
        expect.stringMatching(/^Cannot render a NAR: there is no blob .*"large"\n$/),
      ]);
    }
    expect((await fetch(url + path, { method: "HEAD" })).status).toBe(404);
  });

  it("is an error when a small file is damaged, and never begins", async () => {
    const path = await write(SMALL);
    const [pack = ""] = await packs();
    const bytes = await readFile(pack);
    const content = seededBytes(2, 3000);
    // What cannot be compressed is stored as it is.
    const at = bytes.indexOf(content.subarray(0, 64));
    expect(at).toBeGreaterThan(0);
    bytes[at + 100] = (bytes[at + 100] ?? 0) ^ 1;
    await writeFile(pack, bytes);
    const url = await serve();
    for (let i = 0; i < 3; i++) expect(await get(url + path)).toEqual([500, "whole"]);
  });

  it("breaks off when damage shows on the way, and does not begin again", async () => {
    const path = await write(LARGE);
    const all = await packs();
    await unlink(String(all.at(-2)));
    const url = await serve();
    expect(await get(url + path)).toEqual([200, "broken off"]);
    for (let i = 0; i < 3; i++) expect(await get(url + path)).toEqual([500, "whole"]);
  });
});
