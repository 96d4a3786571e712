import type { StoreCheckProgress, StoreFigures, StoreFinding } from "@tvix/store";
import type { Host, Invocation } from "../command.js";
import { EXIT, NotFoundError } from "../exit.js";
import { formatBytes, formatCount, plural } from "../format/quantities.js";
import { Progress } from "../io/progress.js";
import { withStore } from "./open.js";

/** Does what `tvix check` promises. */
export async function checkStore(invocation: Invocation, host: Host): Promise<number> {
  const { options } = invocation;
  const { signal } = host;
  return await withStore(invocation, host, async ({ maintenance, place }) => {
    // A misspelt directory must not pass for a sound store.
    if ((await maintenance.describe({ signal })).packs === 0) {
      throw new NotFoundError(`there is nothing to check: no store at ${place}`);
    }
    using progress = new Progress(host.stderr, { hidden: options.has("quiet") });
    const onProgress = (state: StoreCheckProgress) =>
      progress.update(() => describeProgress(state));
    let found = 0;
    for await (const finding of maintenance.check({
      signal,
      onProgress,
      nars: options.has("nars"),
    })) {
      found++;
      await (options.has("json") ? host.stdout.json(finding) : host.stdout.line(describe(finding)));
    }
    await host.stdout.flush();
    host.stderr.status("");
    if (!options.has("quiet")) {
      host.stderr.line(
        found > 0
          ? `${plural(found, "problem")} found in ${place}`
          : allSound(await maintenance.describe({ signal })),
      );
    }
    return found === 0 ? EXIT.ok : EXIT.corrupt;
  });
}

function describeProgress({
  records,
  totalRecords,
  bytes,
  totalBytes,
}: StoreCheckProgress): string {
  const share = totalBytes === 0 ? 100 : Math.floor((bytes / totalBytes) * 100);
  return `checked ${formatCount(records)} of ${plural(totalRecords, "object")}, ${formatBytes(bytes)} of ${formatBytes(totalBytes)}, ${share} %`;
}

/** The messages of findings are escaped where they are made. */
function describe({ pack, message }: StoreFinding): string {
  return pack === undefined || message.includes(pack) ? message : `${pack}: ${message}`;
}

function allSound({ directories, chunks, chunkedBlobs, pathInfos }: StoreFigures): string {
  const objects = directories + chunks + chunkedBlobs;
  return `checked ${plural(objects, "object")} and ${plural(pathInfos, "store path")}: all sound`;
}
