/** `random-reads-main.js FILE SEED COUNT`: reads 4 KiB at COUNT places, and prints the seconds that takes. */
import { fstatSync, openSync, readSync } from "node:fs";

const BLOCK_BYTES = 4096;

const [file = "", seed = "", count = ""] = process.argv.slice(2);
const descriptor = openSync(file, "r");
const blocks = Math.floor(fstatSync(descriptor).size / BLOCK_BYTES);
const block = new Uint8Array(BLOCK_BYTES);

/** Numbers below 2^32 (Numerical Recipes' linear congruential generator). */
let state = Number(seed);
function nextBlock(): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((state / 2 ** 32) * blocks);
}

const started = process.hrtime.bigint();
for (let i = 0; i < Number(count); i++) {
  readSync(descriptor, block, 0, BLOCK_BYTES, nextBlock() * BLOCK_BYTES);
}
console.log(Number(process.hrtime.bigint() - started) / 1e9);
