/** Runs outside of the workspace, against the packed packages; prints one JSON object. */
import { computeVectors } from "./vectors.js";

// biome-ignore lint/suspicious/noConsole: the output of this program
console.log(JSON.stringify(await computeVectors()));
