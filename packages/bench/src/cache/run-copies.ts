import { join } from "node:path";
import { type Measurement, measure } from "../process/measure.js";
import { sync } from "../process/sync.js";
import { rotate } from "../statistics.js";
import { type CacheMaterials, uploadUrl } from "./cache-materials.js";
import { CACHE_SIDES, type CacheSide, type CopyCell } from "./cache-run.js";
import type { Closure } from "./closure.js";
import { startCache } from "./servers.js";
import { freshFolder, type Session } from "./session.js";

const DIRECTIONS = ["from", "to"] as const;

/** Copies the closure with Nix, out of a full cache into an empty store and out of a store into an empty cache. */
export async function runCopies(session: Session, materials: CacheMaterials): Promise<CopyCell[]> {
  const cells = DIRECTIONS.flatMap((direction) =>
    CACHE_SIDES.map((side): CopyCell => emptyCell(direction, side)),
  );
  for (let round = 0; round < session.runs; round++) {
    for (const direction of DIRECTIONS) {
      const both = cells.filter((cell) => cell.direction === direction);
      for (const cell of rotate(both, round)) {
        await copyOnce(session, materials, cell);
        const seconds = cell.seconds.at(-1)?.toFixed(2);
        session.host.say(`round ${round + 1}: copy ${direction} ${cell.side}: ${seconds} s`);
      }
    }
  }
  return cells;
}

function emptyCell(direction: CopyCell["direction"], side: CacheSide): CopyCell {
  return { direction, side, seconds: [], clientCpuSeconds: [], serverPeakBytes: [] };
}

async function copyOnce(
  session: Session,
  { nix, closures, contents }: CacheMaterials,
  cell: CopyCell,
): Promise<void> {
  const { signal } = session.host;
  const { side } = cell;
  const folder = freshFolder(session, "fresh");
  const isUpload = cell.direction === "to";
  const content = isUpload ? join(folder, "content") : contents[side];
  const server = await startCache({ side, content, folder, takesUploads: isUpload }, signal);
  const copy = ({ store, root }: Closure): Promise<Measurement> => {
    const between = isUpload
      ? ["--from", store, "--to", uploadUrl(server.url)]
      : ["--from", server.url, "--to", join(folder, "store")];
    const command = nix.command("nix", ["copy", ...between, root]);
    return measure(command, { stdout: "discard", signal });
  };
  try {
    await copy(closures.warm);
    await sync(signal);
    const taken = await copy(closures.measured);
    cell.seconds.push(taken.wallSeconds);
    if (taken.cpuSeconds !== undefined) cell.clientCpuSeconds.push(taken.cpuSeconds);
    const peak = server.peakBytes();
    if (peak !== undefined) cell.serverPeakBytes.push(peak);
  } finally {
    await server.stop();
  }
}
