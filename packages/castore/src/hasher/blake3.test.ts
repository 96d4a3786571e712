import { createRequire } from "node:module";
import { blake3 as nobleBlake3 } from "@noble/hashes/blake3.js";
import { describe, expect, it } from "vitest";
import { toHex } from "../bytes.js";
import { type Blake3Backend, type Blake3WasmModule, wasmBackend } from "./backend.js";
import { blake3, createBlake3 } from "./blake3.js";
import { type NativeBlake3Module, nativeBackend } from "./native.js";

const require = createRequire(import.meta.url);
const wasm = wasmBackend(require("blake3-wasm") as Blake3WasmModule);
const native = nativeBackend(require("@napi-rs/blake-hash") as NativeBlake3Module);

/** Input of the official BLAKE3 test vectors: bytes 0 to 250 repeated. */
function officialInput(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => i % 251);
}

const LENGTHS = [0, 1, 63, 64, 65, 1023, 1024, 1025, 2559, 2560, 2561, 65_536, 65_537, 300_000];

describe.each<[string, Blake3Backend]>([
  ["wasm", wasm],
  ["native", native],
])("%s backend", (_name, backend) => {
  it.each(LENGTHS)("hashes %s bytes like an independent implementation", (length) => {
    const input = officialInput(length);
    const expected = toHex(nobleBlake3(input));
    expect(toHex(backend.hash(input))).toBe(expected);
    const streaming = backend.create();
    for (let offset = 0; offset < length; offset += 1000)
      streaming.update(input.subarray(offset, offset + 1000));
    expect(toHex(streaming.digest())).toBe(expected);
  });

  it("hashes views of shared memory", () => {
    const shared = new Uint8Array(new SharedArrayBuffer(10_000)).fill(7).subarray(3, 9_000);
    expect(toHex(backend.hash(shared))).toBe(toHex(nobleBlake3(new Uint8Array(shared))));
  });

  it("keeps interleaved computations apart", () => {
    const one = backend.create();
    const two = backend.create();
    one.update(officialInput(5000));
    two.update(officialInput(3000));
    one.dispose();
    const three = backend.create();
    three.update(officialInput(10));
    expect(toHex(two.digest())).toBe(toHex(nobleBlake3(officialInput(3000))));
    expect(toHex(three.digest())).toBe(toHex(nobleBlake3(officialInput(10))));
  });

  it("refuses use after the end", () => {
    const hash = backend.create();
    hash.update(officialInput(5));
    hash.digest();
    expect(() => hash.update(officialInput(5))).toThrow();
    expect(() => hash.digest()).toThrow();
    expect(() => hash.dispose()).not.toThrow();
  });
});

describe("wasm backend", () => {
  it("does not grow WebAssembly memory with use", () => {
    const { __wasm } = require("blake3-wasm/dist/wasm/nodejs/blake3_js.js") as {
      __wasm: { memory: WebAssembly.Memory };
    };
    const large = new Uint8Array(8 * 1024 * 1024);
    wasm.hash(large);
    const before = __wasm.memory.buffer.byteLength;
    for (let i = 0; i < 20_000; i++) {
      wasm.hash(large.subarray(0, i % 4096));
      const state = wasm.create();
      state.update(large.subarray(0, 100));
      if (i % 2 === 0) state.digest();
      else state.dispose();
    }
    wasm.hash(large);
    expect(__wasm.memory.buffer.byteLength).toBe(before);
    expect(before).toBeLessThan(4 * 1024 * 1024);
  });
});

describe("blake3()", () => {
  it.each([
    ["", "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"],
    ["Hello World", "41f8394111eb713a22165c46c90ab8f0fd9399c92028fd6d288944b23ff5bf76"],
    ["Hello World!", "5ca7815adcb484e9a136c11efe69c1d530176d549b5d18d038eb5280b4b3470c"],
  ])("gives the known digest of %j", (text, expected) => {
    const bytes = new TextEncoder().encode(text);
    expect(blake3(bytes).toHex()).toBe(expected);
    expect(
      createBlake3().update(bytes.subarray(0, 3)).update(bytes.subarray(3)).digest().toHex(),
    ).toBe(expected);
  });
});
