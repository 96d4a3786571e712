import { createRequire } from "node:module";
import { type Blake3WasmModule, wasmBackend } from "./backend.js";
import { type Blake3Functions, hashFunctions } from "./hash-functions.js";
import { type NativeBlake3Module, nativeBackend } from "./native.js";

// Both libraries are CommonJS; the native one is an optional dependency that may not be installed.
const require = createRequire(import.meta.url);

function loadNative(): NativeBlake3Module | undefined {
  try {
    return require("@napi-rs/blake-hash") as NativeBlake3Module;
  } catch {
    // Not installed, or not for this platform: WebAssembly gives the same digests, only slower.
    return undefined;
  }
}

const native = loadNative();
const functions: Blake3Functions = hashFunctions(
  () => wasmBackend(require("blake3-wasm") as Blake3WasmModule),
  native && nativeBackend(native),
);

export const hashOnce: Blake3Functions["hashOnce"] = functions.hashOnce;
export const createHash: Blake3Functions["createHash"] = functions.createHash;
