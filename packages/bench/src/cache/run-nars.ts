import { join } from "node:path";
import { type Command, measure } from "../process/measure.js";
import { sync } from "../process/sync.js";
import { rotate } from "../statistics.js";
import { CACHE_SIDES, type NarCell } from "./cache-run.js";
import { makeNarFile, type NarFile } from "./nar-files.js";
import { startCache } from "./servers.js";
import { freshFolder, type Session } from "./session.js";

/** Uploads NARs of several sizes, and downloads each from a server that was started after that. */
export async function runNars(session: Session): Promise<NarCell[]> {
  const { host, runs, sizes } = session;
  host.say("Making NARs");
  const folder = freshFolder(session, "nars");
  const nars = sizes.narBytes.map((bytes) => makeNarFile(folder, bytes));
  const cells: NarCell[] = [];
  for (let round = 0; round < runs; round++) {
    for (const nar of nars) {
      for (const side of rotate(CACHE_SIDES, round)) {
        const content = freshFolder(session, "fresh");
        for (const direction of ["put", "get"] as const) {
          const cell = cellOf(cells, { direction, side, narBytes: nar.bytes });
          await transfer(session, { cell, nar, content });
          const seconds = cell.seconds.at(-1)?.toFixed(3);
          host.say(`round ${round + 1}: ${direction} ${nar.bytes} bytes: ${side}: ${seconds} s`);
        }
      }
    }
  }
  return cells;
}

function cellOf(
  cells: NarCell[],
  names: Pick<NarCell, "direction" | "side" | "narBytes">,
): NarCell {
  const { direction, side, narBytes } = names;
  const known = cells.find(
    (one) => one.direction === direction && one.side === side && one.narBytes === narBytes,
  );
  if (known !== undefined) return known;
  const cell = { direction, narBytes, side, seconds: [], serverPeakBytes: [] };
  cells.push(cell);
  return cell;
}

interface Transfer {
  readonly cell: NarCell;
  readonly nar: NarFile;
  readonly content: string;
}

async function transfer(session: Session, { cell, nar, content }: Transfer): Promise<void> {
  const { signal } = session.host;
  const { side, direction } = cell;
  const folder = freshFolder(session, "server");
  const isUpload = direction === "put";
  const task = { side, content: join(content, "content"), folder, takesUploads: isUpload };
  const server = await startCache(task, signal);
  try {
    const command = curl(isUpload ? ["--upload-file", nar.file] : [], server.url + nar.path);
    await sync(signal);
    const { wallSeconds } = await measure(command, { stdout: "discard", signal });
    cell.seconds.push(wallSeconds);
    const peak = server.peakBytes();
    if (peak !== undefined) cell.serverPeakBytes.push(peak);
  } finally {
    await server.stop();
  }
}

/** What comes is thrown away; a status of 400 or more fails. */
function curl(args: readonly string[], url: string): Command {
  const quiet = ["--fail", "--silent", "--show-error", "--output", "/dev/null"];
  return { program: "curl", args: [...quiet, ...args, url] };
}
