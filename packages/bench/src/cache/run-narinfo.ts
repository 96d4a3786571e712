import { rotate } from "../statistics.js";
import type { CacheMaterials } from "./cache-materials.js";
import { CACHE_SIDES, type NarinfoCell } from "./cache-run.js";
import { startCache } from "./servers.js";
import { freshFolder, type Session } from "./session.js";
import { runWrk } from "./wrk.js";

const CONNECTIONS: readonly number[] = [1, 16, 64];

/** What a server is warmed up with: the most connections. */
const WARM_CONNECTIONS = 64;

/** Length of the part of a store path that names its narinfo. */
const HASH_LENGTH = 32;

/** Asks both servers for all narinfos of the closure in turn, over one connection and over many. */
export async function runNarinfo(
  session: Session,
  { closures, contents }: CacheMaterials,
): Promise<NarinfoCell[]> {
  const { host, runs } = session;
  const cells = CONNECTIONS.flatMap((connections) =>
    CACHE_SIDES.map((side): NarinfoCell => ({ connections, side, results: [] })),
  );
  const paths = closures.measured.storePaths.map(narinfoPath);
  for (let round = 0; round < runs; round++) {
    for (const side of rotate(CACHE_SIDES, round)) {
      const folder = freshFolder(session, "fresh");
      const task = { side, content: contents[side], folder, takesUploads: false };
      const server = await startCache(task, host.signal);
      const ask = (connections: number) => {
        const { address } = server;
        const seconds = session.sizes.wrkSeconds;
        return runWrk({ folder, address, paths, connections, seconds }, host.signal);
      };
      try {
        await ask(WARM_CONNECTIONS);
        for (const cell of cells.filter((one) => one.side === side)) {
          const result = await ask(cell.connections);
          cell.results.push(result);
          const rate = result.requestsPerSecond.toFixed();
          host.say(`round ${round + 1}: ${side}: ${cell.connections} connections: ${rate}/s`);
        }
      } finally {
        await server.stop();
      }
    }
  }
  return cells;
}

function narinfoPath(storePath: string): string {
  const name = storePath.slice(storePath.lastIndexOf("/") + 1);
  return `/${name.slice(0, HASH_LENGTH)}.narinfo`;
}
