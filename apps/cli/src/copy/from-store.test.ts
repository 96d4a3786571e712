import {
  type FileNode,
  fileNode,
  MemoryBlobService,
  MemoryDirectoryService,
  putBytes,
  toUtf8,
} from "@tvix/castore";
import {
  buildStorePath,
  type ContentAddress,
  contentAddress,
  MemoryPathInfoService,
  NixHash,
  PathInfo,
  RenderedNarCalculation,
  SigningKey,
  StorePath,
  sha256,
  TrustedKeys,
  withRootSignatures,
} from "@tvix/store";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { StoreTransfer } from "./from-store.js";
import type { CopiedStore } from "./present.js";

const signal = new AbortController().signal;

function memoryStore(place: string): CopiedStore {
  const castore = { blobs: new MemoryBlobService(), directories: new MemoryDirectoryService() };
  const narCalculation = new RenderedNarCalculation(castore);
  return { place, ...castore, pathInfos: new MemoryPathInfoService(), narCalculation };
}

/** The address of a text, as a file or in a NAR. */
function addressOf(method: ContentAddress["method"], text: string): ContentAddress {
  return contentAddress(method, NixHash.of("sha256", sha256(toUtf8(text))));
}

describe("StoreTransfer", () => {
  const key = SigningKey.of("trusted-1", new Uint8Array(32).fill(1));
  const signatures = { trustedKeys: TrustedKeys.of([key.publicKey]) };
  let [from, to] = [memoryStore("there"), memoryStore("here")];
  let node: FileNode;

  beforeEach(async () => {
    [from, to] = [memoryStore("there"), memoryStore("here")];
    node = fileNode(await putBytes(from.blobs, toUtf8("Hello")), 5n);
  });

  /** Copies a path that the other store says this of; its content is "Hello". */
  async function copy(
    storePath: StorePath,
    fields: {
      readonly contentAddress?: ContentAddress;
      readonly narSha256?: Uint8Array;
      readonly isSigned?: boolean;
    } = {},
  ): Promise<PathInfo | undefined> {
    const nar = await from.narCalculation.calculateNar(node);
    const said = { storePath, node, ...nar, ...fields };
    const pathInfo = PathInfo.of(said);
    const signed = fields.isSigned === true ? [key.sign(pathInfo)] : [];
    await from.pathInfos.put(PathInfo.of({ ...said, signatures: signed }));
    const transfer = new StoreTransfer(from, to, { signatures, near: "target" });
    const facts = await transfer.lookUp(storePath.digestBytes(), { signal });
    if (facts === undefined) throw new Error("The path was not found");
    await (await transfer.move(facts, { signal })).publish();
    return await to.pathInfos.get(storePath.digestBytes());
  }

  const some = StorePath.parse(`${"1".repeat(32)}-hello`);

  it("copies what a trusted key has signed", async () => {
    expect((await copy(some, { isSigned: true }))?.signatures).toHaveLength(1);
    await expect(copy(StorePath.parse(`${"2".repeat(32)}-hello`))).rejects.toThrow(
      /cannot trust \S+-hello in there: it has no signature$/,
    );
  });

  it("does not compute the NAR of what a trusted key has signed the root of", async () => {
    const calculate = [vi.spyOn(from.narCalculation, "calculateNar")];
    calculate.push(vi.spyOn(to.narCalculation, "calculateNar"));
    const said = { storePath: some, node, narSize: 1n, narSha256: new Uint8Array(32) };
    const pathInfo = withRootSignatures(PathInfo.of(said), [key]);
    await from.pathInfos.put(pathInfo);
    for (const require of ["any", "root"] as const) {
      const policy = { ...signatures, require };
      const transfer = new StoreTransfer(from, to, { signatures: policy, near: "target" });
      const facts = await transfer.lookUp(some.digestBytes(), { signal });
      if (facts === undefined) throw new Error("The path was not found");
      await transfer.move(facts, { signal });
    }
    for (const spy of calculate) expect(spy).not.toHaveBeenCalled();
    await from.pathInfos.put(
      PathInfo.of({ ...said, narSize: 2n, signatures: [key.sign(pathInfo)] }),
    );
    const policy = { ...signatures, require: "root" } as const;
    const transfer = new StoreTransfer(from, to, { signatures: policy, near: "target" });
    await expect(transfer.lookUp(some.digestBytes(), { signal })).rejects.toThrow(
      /it has no root signature/,
    );
  });

  it("copies what its content proves", async () => {
    const address = addressOf("flat", "Hello");
    const storePath = buildStorePath("hello", address);
    expect((await copy(storePath, { contentAddress: address }))?.node).toEqual(node);
  });

  it.each(["flat", "text"] as const)("refuses %s content of another address", async (method) => {
    const address = addressOf(method, "Good");
    const storePath = buildStorePath("hello", address);
    await expect(copy(storePath, { contentAddress: address })).rejects.toMatchObject({
      reason: "hash",
    });
    expect(await to.pathInfos.get(storePath.digestBytes())).toBeUndefined();
  });

  it("refuses a NAR of another hash, whoever has signed it", async () => {
    const fields = { narSha256: new Uint8Array(32), isSigned: true };
    await expect(copy(some, fields)).rejects.toMatchObject({ exitCode: 4 });
    expect(await to.pathInfos.get(some.digestBytes())).toBeUndefined();
  });
});
