import { toUtf8 } from "@tvix/castore";
import {
  castoreNarUrl,
  formatNarinfo,
  NixHash,
  narinfoFromPathInfo,
  type PathInfo,
} from "@tvix/store";
import type { Host, Invocation } from "../command.js";
import { parseWanted } from "../copy/ends.js";
import { EXIT, NotFoundError } from "../exit.js";
import { withStore } from "../store/open.js";

/** Does what `tvix narinfo` promises. */
export async function printNarinfo(invocation: Invocation, host: Host): Promise<number> {
  const wanted = invocation.arguments.map(parseWanted);
  const { signal, stdout } = host;
  await withStore(invocation, host, async (store) => {
    for (const [i, { outputHash, name, text }] of wanted.entries()) {
      const pathInfo = await store.pathInfos.get(outputHash, { signal });
      if (pathInfo === undefined || (name ?? pathInfo.storePath.name) !== pathInfo.storePath.name) {
        throw new NotFoundError(`/nix/store/${text} is not in the store at ${store.place}`);
      }
      if (i > 0) await stdout.line("");
      await stdout.bytes(toUtf8(narinfoText(pathInfo)));
    }
  });
  return EXIT.ok;
}

/** What the binary cache of the daemon serves, but for signatures that it adds. */
function narinfoText(pathInfo: PathInfo): string {
  const { node, narSize, narSha256 } = pathInfo;
  const narinfo = narinfoFromPathInfo(pathInfo, {
    url: castoreNarUrl(node, narSize),
    compression: "none",
    fileHash: NixHash.of("sha256", narSha256),
    fileSize: narSize,
  });
  return formatNarinfo(narinfo);
}
