import { describe, expect, it, vi } from "vitest";
import type { BackendHash, Blake3Backend } from "./backend.js";
import { hashFunctions } from "./hash-functions.js";

/** A backend whose digests tell which one it is. */
function backend(mark: number): Blake3Backend {
  const digest = () => Uint8Array.of(mark);
  const create = (): BackendHash => ({ update: () => {}, digest, dispose: () => {} });
  return { hash: digest, create };
}

const NATIVE = 1;
const PORTABLE = 2;
const SMALL = new Uint8Array(2559);
const LARGE = new Uint8Array(2560);

describe("hashFunctions()", () => {
  it("uses the portable backend for all where there is no other", () => {
    const { hashOnce, createHash } = hashFunctions(() => backend(PORTABLE), undefined);
    expect(hashOnce(SMALL)[0]).toBe(PORTABLE);
    expect(hashOnce(LARGE)[0]).toBe(PORTABLE);
    expect(createHash().digest()[0]).toBe(PORTABLE);
  });

  it("uses the native backend for large inputs and streams", () => {
    const { hashOnce, createHash } = hashFunctions(() => backend(PORTABLE), backend(NATIVE));
    expect(hashOnce(LARGE)[0]).toBe(NATIVE);
    expect(createHash().digest()[0]).toBe(NATIVE);
  });

  it("loads the portable backend, once, when there are many small inputs", () => {
    const load = vi.fn(() => backend(PORTABLE));
    const { hashOnce } = hashFunctions(load, backend(NATIVE));
    const used = Array.from({ length: 5000 }, () => hashOnce(SMALL)[0]);
    expect(used.indexOf(PORTABLE)).toBe(1999);
    expect(used.lastIndexOf(NATIVE)).toBe(1998);
    expect(hashOnce(LARGE)[0]).toBe(NATIVE);
    expect(load).toHaveBeenCalledOnce();
  });
});
