import load from "blake3-wasm/browser-async.js";
import { BLAKE3_WASM_BASE64 } from "../gen/blake3-wasm.js";
import { type Blake3WasmModule, wasmBackend } from "./backend.js";
import { type Blake3Functions, hashFunctions } from "./hash-functions.js";

// The module's bytes are embedded: every bundler and runtime takes them, none has to know where a
// .wasm file goes.
const bytes = Uint8Array.from(atob(BLAKE3_WASM_BASE64), (character) => character.charCodeAt(0));
// An ES module in a package that does not say so: the compiler takes its default export for a namespace.
const loadModule = load as unknown as (module: object) => Promise<Blake3WasmModule>;
const wasm: Blake3WasmModule = await loadModule(bytes);
const functions: Blake3Functions = hashFunctions(() => wasmBackend(wasm), undefined);

export const hashOnce: Blake3Functions["hashOnce"] = functions.hashOnce;
export const createHash: Blake3Functions["createHash"] = functions.createHash;
