import { setTimeout as delay } from "node:timers/promises";
import { errorText, type Logger } from "../log/logger.js";
import type { Tracing } from "./tracing.js";

/** How long the last traces may take: the exporter itself would try for longer than people wait. */
const MAX_CLOSE_MS = 2000;

/**
 * Sends the last traces. A collector that is away is no reason to fail, since the store is sound: it is
 * told to the log.
 */
export async function closeTracing(tracing: Tracing, logger: Logger): Promise<void> {
  const done = new AbortController();
  try {
    await Promise.race([
      tracing.close(),
      delay(MAX_CLOSE_MS, undefined, { signal: done.signal }).then(() => {
        throw new Error("nobody took them in time");
      }),
    ]);
  } catch (error) {
    logger.warn("the last traces could not be sent", { reason: errorText(error) });
  } finally {
    done.abort();
  }
}
