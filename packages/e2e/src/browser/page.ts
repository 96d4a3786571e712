/** Runs in the browser: computes the vectors and sends them, or the error, to the server. */
import { computeVectors } from "../library/vectors.js";

// Keeps everything the main entries export in the bundle, also what the vectors do not use.
export * as castore from "@tvix/castore";
export * as store from "@tvix/store";

async function report(): Promise<string> {
  try {
    return JSON.stringify({ vectors: await computeVectors() });
  } catch (error) {
    return JSON.stringify({ error: error instanceof Error ? error.stack : String(error) });
  }
}

await fetch("/report", { method: "POST", body: await report() });
