/** What makes stores far from each other, and what to copy between them. For benchmarks and end-to-end tests. */

export { DelayingProxy } from "./delaying-proxy.js";
export { storeClosure } from "./generated-closure.js";
