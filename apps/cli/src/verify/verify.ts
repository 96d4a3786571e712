import type { Host, Invocation } from "../command.js";
import { parseTrustedKeys, parseWanted } from "../copy/ends.js";
import { EXIT, NotFoundError } from "../exit.js";
import { plural } from "../format/quantities.js";
import { Progress } from "../io/progress.js";
import { withStore } from "../store/open.js";
import { pathProblems } from "./path-problems.js";

/** Does what `tvix verify` promises. */
export async function verify(invocation: Invocation, host: Host): Promise<number> {
  const { options } = invocation;
  const wanted = invocation.arguments.map(parseWanted);
  const trustedKeys = parseTrustedKeys(options.value("trusted-public-keys"));
  const { signal, stdout, stderr } = host;
  return await withStore(invocation, host, async (store) => {
    using line = new Progress(stderr, { hidden: options.has("quiet") });
    let wrong = 0;
    for (const [i, { outputHash, name, text }] of wanted.entries()) {
      line.update(() => `verified ${i} of ${plural(wanted.length, "path")}`);
      const pathInfo = await store.pathInfos.get(outputHash, { signal });
      if (pathInfo === undefined || (name ?? pathInfo.storePath.name) !== pathInfo.storePath.name) {
        throw new NotFoundError(`/nix/store/${text} is not in the store at ${store.place}`);
      }
      const problems = await pathProblems(store, pathInfo, { signal, trustedKeys });
      if (problems.length > 0) wrong++;
      const { storePath } = pathInfo;
      const isRight = problems.length === 0;
      if (options.has("json"))
        await stdout.json({ path: String(storePath), ok: isRight, problems });
      else for (const problem of problems) await stdout.line(`${storePath}: ${problem}`);
    }
    await stdout.flush();
    stderr.status("");
    if (!options.has("quiet")) {
      const sound = wrong === 0 ? "all as stated" : `${wrong} not as stated`;
      stderr.line(`verified ${plural(wanted.length, "path")}: ${sound}`);
    }
    return wrong === 0 ? EXIT.ok : EXIT.corrupt;
  });
}
