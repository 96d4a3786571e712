import type { CheckFinding, CheckProgress } from "@tvix/castore/local";
import type { Host, Invocation } from "../command.js";
import { EXIT, NotFoundError } from "../exit.js";
import { formatBytes, formatCount, plural } from "../format/quantities.js";
import { Progress } from "../io/progress.js";
import { checkPathInfos } from "./check-path-infos.js";
import { type OpenStore, withStore } from "./open.js";

/** Does what `tvix check` promises. */
export async function checkStore(invocation: Invocation, host: Host): Promise<number> {
  const { options } = invocation;
  return await withStore(invocation, host, async (store) => {
    // A misspelt directory must not pass for a sound store.
    if ((await store.local.stats()).packs === 0) {
      throw new NotFoundError(`there is nothing to check: no store at ${store.directory}`);
    }
    using progress = new Progress(host.stderr, { hidden: options.has("quiet") });
    let found = 0;
    for await (const finding of allFindings(store, invocation, host, progress)) {
      found++;
      await (options.has("json") ? host.stdout.json(finding) : host.stdout.line(describe(finding)));
    }
    await host.stdout.flush();
    host.stderr.status("");
    if (!options.has("quiet")) host.stderr.line(await closingLine(store, found));
    return found === 0 ? EXIT.ok : EXIT.corrupt;
  });
}

async function* allFindings(
  store: OpenStore,
  { options }: Invocation,
  { signal }: Host,
  progress: Progress,
): AsyncGenerator<CheckFinding, void, undefined> {
  const onProgress = (state: CheckProgress) => progress.update(() => describeProgress(state));
  yield* store.local.check({ signal, onProgress });
  yield* checkPathInfos(store, { signal, nars: options.has("nars") });
}

function describeProgress({ records, totalRecords, bytes, totalBytes }: CheckProgress): string {
  const share = totalBytes === 0 ? 100 : Math.floor((bytes / totalBytes) * 100);
  return `checked ${formatCount(records)} of ${plural(totalRecords, "object")}, ${formatBytes(bytes)} of ${formatBytes(totalBytes)}, ${share} %`;
}

/** The messages of findings are escaped where they are made. */
function describe({ pack, message }: CheckFinding): string {
  return pack === undefined || message.includes(pack) ? message : `${pack}: ${message}`;
}

async function closingLine(store: OpenStore, found: number): Promise<string> {
  if (found > 0) return `${plural(found, "problem")} found in ${store.directory}`;
  const { directories, chunks, chunkedBlobs, pathInfos } = await store.local.stats();
  const objects = directories + chunks + chunkedBlobs;
  return `checked ${plural(objects, "object")} and ${plural(pathInfos, "store path")}: all sound`;
}
