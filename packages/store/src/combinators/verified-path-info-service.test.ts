import { MemoryBlobService, MemoryDirectoryService } from "@tvix/castore";
import { collect } from "@tvix/castore/testing";
import { describe, expect, it } from "vitest";
import { RenderedNarCalculation } from "../nar/rendered-nar-calculation.js";
import { PathInfo } from "../path-info.js";
import { MemoryPathInfoService } from "../pathinfoservice/memory.js";
import { SigningKey } from "../signature/signing-key.js";
import { TrustedKeys } from "../signature/trusted-keys.js";
import { withRootSignatures } from "../signed-root/root-signature.js";
import { storeFile } from "../testing/nar-fixtures.js";
import { digestOf, pathInfoOf } from "../testing/path-info-fixtures.js";
import { pathInfoServiceSuite } from "../testing/path-info-service-suite.js";
import { ScriptedPathInfoService } from "../testing/scripted-path-info-service.js";
import { VerifiedPathInfoService } from "./verified-path-info-service.js";

const KEY = SigningKey.of("cache-1", new Uint8Array(32).fill(1));
const SIGNATURES = { trustedKeys: TrustedKeys.of([KEY.publicKey]) };

pathInfoServiceSuite(
  "verified(memory), anybody believed",
  async () => ({
    service: new VerifiedPathInfoService(new MemoryPathInfoService(), {
      signatures: "accept-unsigned",
    }),
  }),
  { noRootCheck: { reason: "the stores in memory do not check roots" } },
);

function signed(first: number): PathInfo {
  const pathInfo = pathInfoOf(digestOf(first));
  return pathInfoOf(digestOf(first), { signatures: [KEY.sign(pathInfo)] });
}

function setUp() {
  const memory = new MemoryPathInfoService();
  const inner = new ScriptedPathInfoService(memory);
  const service = new VerifiedPathInfoService(inner, { signatures: SIGNATURES });
  return { memory, inner, service };
}

describe("VerifiedPathInfoService", () => {
  it("refuses an answer about another path", async () => {
    const { inner, service } = setUp();
    inner.change = () => signed(2);
    await expect(service.get(digestOf(1))).rejects.toMatchObject({ code: "CORRUPT" });
    expect(await service.get(digestOf(2))).toBeDefined();
  });

  it("refuses what nobody who is trusted has signed", async () => {
    const { memory, service } = setUp();
    await memory.put(signed(1));
    await memory.put(pathInfoOf(digestOf(2)));
    // The signature is about another size.
    await memory.put(pathInfoOf(digestOf(3), { narSize: 7n, signatures: signed(3).signatures }));
    expect(await service.get(digestOf(1))).toBeDefined();
    for (const first of [2, 3]) {
      await expect(service.get(digestOf(first))).rejects.toMatchObject({
        code: "PERMISSION_DENIED",
      });
    }
    const listed = await collect(service.list());
    expect(listed.map(({ storePath }) => storePath.digestBytes()[0])).toEqual([1]);
  });

  it("refuses a store that says to have stored something else", async () => {
    const { inner, service } = setUp();
    inner.put = async () => pathInfoOf(digestOf(1), { narSize: 99n });
    await expect(service.put(pathInfoOf(digestOf(1)))).rejects.toMatchObject({ code: "CORRUPT" });
    inner.put = async () => signed(1);
    expect(await service.put(pathInfoOf(digestOf(1)))).toBeDefined();
  });

  it("ends when it is aborted, whether or not the store listens", async () => {
    const { inner, service } = setUp();
    inner.before = () => new Promise(() => {});
    const reason = new Error("enough");
    const controller = new AbortController();
    const { signal } = controller;
    const calls = [
      service.get(digestOf(1), { signal }),
      service.put(pathInfoOf(digestOf(1)), { signal }),
      collect(service.list({ signal })),
    ];
    await new Promise((resolve) => setImmediate(resolve));
    controller.abort(reason);
    for (const call of calls) await expect(call).rejects.toBe(reason);
    expect(inner.signals.map((given) => given?.aborted)).toEqual([true, true, true]);
  });

  describe("with content", () => {
    async function withContent() {
      const castore = { blobs: new MemoryBlobService(), directories: new MemoryDirectoryService() };
      const node = await storeFile(castore, Uint8Array.of(1, 2, 3), false);
      const other = await storeFile(castore, Uint8Array.of(4, 5, 6), false);
      const nars = new RenderedNarCalculation(castore);
      const { narSize, narSha256 } = await nars.calculateNar(node);
      let calculated = 0;
      const narCalculation = {
        calculateNar: (...args: Parameters<typeof nars.calculateNar>) => {
          calculated++;
          return nars.calculateNar(...args);
        },
        remember: async () => {},
      };
      const memory = new MemoryPathInfoService();
      const service = new VerifiedPathInfoService(memory, {
        signatures: SIGNATURES,
        content: { ...castore, narCalculation },
      });
      const facts = pathInfoOf(digestOf(1), { node, narSize, narSha256 });
      const signatures = [KEY.sign(facts)];
      const right = pathInfoOf(digestOf(1), { node, narSize, narSha256, signatures });
      // What is signed says nothing about the root.
      const wrong = pathInfoOf(digestOf(1), { node: other, narSize, narSha256, signatures });
      return { service, memory, right, wrong, calculated: () => calculated };
    }

    it("reads the content of a path once", async () => {
      const { service, memory, right, calculated } = await withContent();
      await memory.put(right);
      const gets = Array.from({ length: 5 }, () => service.get(digestOf(1)));
      expect(await Promise.all(gets)).not.toContain(undefined);
      expect(await service.get(digestOf(1))).toBeDefined();
      expect(calculated()).toBe(1);
    });

    it("refuses another root than the one whose NAR is signed, every time", async () => {
      const { service, memory, wrong } = await withContent();
      await memory.put(wrong);
      for (let i = 0; i < 2; i++) {
        await expect(service.get(digestOf(1))).rejects.toMatchObject({ code: "CORRUPT" });
      }
    });

    it("reads nothing where the root is signed", async () => {
      const { service, memory, right, calculated } = await withContent();
      await memory.put(withRootSignatures(right, [KEY]));
      expect(await service.get(digestOf(1))).toBeInstanceOf(PathInfo);
      expect(calculated()).toBe(0);
    });
  });
});
