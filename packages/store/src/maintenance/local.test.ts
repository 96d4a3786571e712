import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { B3Digest, fileNode } from "@tvix/castore";
import { LocalStore } from "@tvix/castore/local";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { importPath } from "../import/import-path.js";
import { RenderedNarCalculation } from "../nar/rendered-nar-calculation.js";
import { PathInfo } from "../path-info.js";
import { LocalPathInfoService } from "../pathinfoservice/local.js";
import { encodePathInfo } from "../wire/path-info-codec.js";
import { LocalStoreMaintenance } from "./local.js";
import type { StoreCheckProgress, StoreFinding } from "./store-maintenance.js";

describe("LocalStoreMaintenance", () => {
  let folder: string;
  let local: LocalStore;
  let maintenance: LocalStoreMaintenance;
  let imported: PathInfo;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tvix-store-"));
    local = await LocalStore.open(join(folder, "data"));
    const pathInfos = new LocalPathInfoService(local.pathInfoRecords, { roots: local });
    maintenance = new LocalStoreMaintenance({ directory: folder, local, pathInfos });
    await writeFile(join(folder, "dummy"), "Hello World!");
    const { blobs, directories } = local;
    const narCalculation = new RenderedNarCalculation(local);
    const services = { blobs, directories, pathInfos, narCalculation };
    imported = (await importPath(services, join(folder, "dummy"))).pathInfo;
  });
  afterEach(async () => {
    await local.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function findings(options: { readonly nars?: boolean } = {}): Promise<StoreFinding[]> {
    const found: StoreFinding[] = [];
    for await (const finding of maintenance.check(options)) found.push(finding);
    return found;
  }

  async function overwrite(fields: Partial<ReturnType<typeof picked>>): Promise<void> {
    const { storePath, node, narSize, narSha256 } = { ...picked(imported), ...fields };
    const changed = PathInfo.of({ storePath, node, narSize, narSha256 });
    await local.pathInfoRecords.put(storePath.digestBytes(), encodePathInfo(changed));
  }

  it("says how much there is", async () => {
    expect(await maintenance.describe({ narBytes: true })).toMatchObject({
      dataDirectory: folder,
      pathInfos: 1,
      directories: 0,
      chunks: 1,
      narBytes: 128,
    });
    expect(await maintenance.describe()).toMatchObject({ narBytes: 0 });
  });

  it("finds nothing wrong in a sound store, and tells how far it is", async () => {
    const seen: StoreCheckProgress[] = [];
    for await (const finding of maintenance.check({ nars: true, onProgress: (p) => seen.push(p) }))
      expect.unreachable(finding.message);
    expect(seen.at(-1)?.records).toBe(seen.at(-1)?.totalRecords);
  });

  it("finds content that is not stored", async () => {
    await overwrite({ node: fileNode(B3Digest.fromBytes(new Uint8Array(32).fill(1)), 12n) });
    expect(await findings()).toContainEqual(
      expect.objectContaining({
        type: "reference",
        message: expect.stringMatching(/its content b3:\S+ is not stored/),
      }),
    );
  });

  it("finds a NAR of another size, on demand", async () => {
    await overwrite({ narSize: 136n });
    expect(await findings()).toEqual([]);
    expect(await findings({ nars: true })).toEqual([
      expect.objectContaining({ message: expect.stringContaining("another size or hash") }),
    ]);
  });
});

function picked({ storePath, node, narSize, narSha256 }: PathInfo) {
  return { storePath, node, narSize, narSha256 };
}
