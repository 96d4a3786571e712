/**
 * `ensure-debian-packages.js test|bench`: installs what tests or benchmarks need, where it may, and
 * says what stays missing. What is missing is no failure here; whoever needs it says so.
 */
import { BENCH_NEEDS, ensureDebianPackages, TEST_NEEDS } from "./debian-packages.js";

const needs = new Map([
  ["test", TEST_NEEDS],
  ["bench", BENCH_NEEDS],
]).get(process.argv[2] ?? "");

if (needs === undefined) {
  console.error("Usage: node tools/dist/ensure-debian-packages.js test|bench");
  process.exitCode = 2;
} else {
  await ensureDebianPackages(needs, (line) => console.log(line));
}
