import { collect } from "@tvix/castore/testing";
import { describe, expect, it } from "vitest";
import { MAX_NARINFO_SIGNATURES } from "../narinfo/narinfo.js";
import { MemoryPathInfoService } from "../pathinfoservice/memory.js";
import { Signature } from "../signature/signature.js";
import { SigningKey } from "../signature/signing-key.js";
import { TrustedKeys } from "../signature/trusted-keys.js";
import { digestOf, pathInfoOf } from "../testing/path-info-fixtures.js";
import { SigningPathInfoService } from "./signing-path-info-service.js";

const KEYS = [1, 2].map((i) => SigningKey.of(`cache-${i}`, new Uint8Array(32).fill(i)));
const TRUSTED = TrustedKeys.of(KEYS.map(({ publicKey }) => publicKey));

describe("SigningPathInfoService", () => {
  it("stores a right signature by each key, once", async () => {
    const inner = new MemoryPathInfoService();
    const service = new SigningPathInfoService(inner, { keys: KEYS });
    const stored = await service.put(pathInfoOf(digestOf(1)));
    expect(TRUSTED.verify(stored)).toHaveLength(2);
    const again = await service.put(stored);
    expect(again.signatures).toHaveLength(2);
    expect((await inner.get(digestOf(1)))?.signatures).toHaveLength(2);
  });

  it("is not kept from signing by somebody who goes by its name, or by any number of others", async () => {
    const service = new SigningPathInfoService(new MemoryPathInfoService(), { keys: KEYS });
    const forged = Signature.of("cache-1", new Uint8Array(64));
    const others = Array.from({ length: 2 * MAX_NARINFO_SIGNATURES }, (_, i) =>
      Signature.of(`other-${i}`, new Uint8Array(64)),
    );
    const signatures = [forged, ...others].slice(0, MAX_NARINFO_SIGNATURES);
    const stored = await service.put(pathInfoOf(digestOf(1), { signatures }));
    expect(TRUSTED.verify(stored)).toHaveLength(2);
    expect(stored.signatures).toHaveLength(MAX_NARINFO_SIGNATURES);
  });

  it("leaves what is stored as it is, unless it is to sign that, too", async () => {
    const inner = new MemoryPathInfoService();
    await inner.put(pathInfoOf(digestOf(1)));
    const plain = new SigningPathInfoService(inner, { keys: KEYS });
    expect((await plain.get(digestOf(1)))?.signatures).toEqual([]);
    expect(plain.peek(digestOf(1))?.signatures).toEqual([]);
    const eager = new SigningPathInfoService(inner, { keys: KEYS, onGet: true });
    const signed = await eager.get(digestOf(1));
    expect(signed && TRUSTED.verify(signed)).toHaveLength(2);
    expect(await eager.get(digestOf(1))).toBe(signed);
    expect(eager.peek(digestOf(1))).toBe(signed);
    expect((await collect(eager.list())).map(({ signatures }) => signatures.length)).toEqual([2]);
    expect((await collect(inner.list())).map(({ signatures }) => signatures.length)).toEqual([0]);
    expect(await eager.get(digestOf(2))).toBeUndefined();
    expect(eager.peek(digestOf(2))).toBeUndefined();
  });

  it("refuses to sign with nothing", () => {
    expect(() => new SigningPathInfoService(new MemoryPathInfoService(), { keys: [] })).toThrow(
      RangeError,
    );
  });

  it("rejects with the reason of its signal", async () => {
    const reason = new Error("enough");
    const service = new SigningPathInfoService(new MemoryPathInfoService(), { keys: KEYS });
    const put = service.put(pathInfoOf(digestOf(1)), { signal: AbortSignal.abort(reason) });
    await expect(put).rejects.toBe(reason);
  });
});
