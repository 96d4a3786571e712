import { MemoryBlobService, MemoryDirectoryService } from "@tvix/castore";
import { describe, expect, it } from "vitest";
import { ingestNar } from "../nar/ingest-nar.js";
import { parseNarinfo } from "../narinfo/parse.js";
import { referenceNar } from "../testing/nar-reference.js";
import { NIX_PATHS } from "../testing/nix-paths.js";
import { ContentAddressError } from "./content-address-error.js";
import { verifyStoredContent } from "./verify-stored.js";

const emptyStore = () => ({
  blobs: new MemoryBlobService(),
  directories: new MemoryDirectoryService(),
});

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** A path that Nix made, in a store of its own. */
async function stored(name: string) {
  const path = NIX_PATHS.find((one) => one.name === name);
  if (path?.tree === undefined) throw new Error(`No path ${name}`);
  const store = emptyStore();
  const { root: node } = await ingestNar(store, once(referenceNar(path.tree)));
  return { store, claim: { ...parseNarinfo(path.narinfo), node } };
}

describe("verifyStoredContent()", () => {
  it.each(["NAR with a reference to itself", "file by SHA-256", "text"])(
    "reads what it needs of the %s",
    async (name) => {
      const { store, claim } = await stored(name);
      await verifyStoredContent(store, claim);
    },
  );

  it.each(["NAR with a reference to itself", "file by SHA-256"])(
    "refuses the %s with other content",
    async (name) => {
      const { claim } = await stored(name);
      const { store, claim: other } = await stored("text");
      const wrong = verifyStoredContent(store, { ...claim, node: other.node });
      await expect(wrong).rejects.toThrow(ContentAddressError);
    },
  );

  it.each(["NAR with a reference to itself", "file by SHA-256"])(
    "does not take a missing %s for a wrong one",
    async (name) => {
      const { claim } = await stored(name);
      const missing = verifyStoredContent(emptyStore(), claim);
      await expect(missing).rejects.toMatchObject({ code: "MISSING_REFERENCE" });
    },
  );

  it("reads nothing where there is no address", async () => {
    const { claim } = await stored("text");
    await verifyStoredContent(emptyStore(), { ...claim, contentAddress: undefined });
  });
});
