import type { Node } from "@tvix/castore";
import {
  buildStorePath,
  contentAddress,
  type IngestedNar,
  ingestNar,
  NixHash,
  PathInfo,
} from "@tvix/store";
import { checkImportName } from "@tvix/store/fs";
import { wordBytes } from "../args/raw-words.js";
import type { Host, Invocation } from "../command.js";
import { CliError, EXIT, UsageError } from "../exit.js";
import { narHashText } from "../format/nar-hash.js";
import { jsonNode } from "../format/nodes.js";
import { formatBytes } from "../format/quantities.js";
import { Progress } from "../io/progress.js";
import { withStore, writing } from "../store/open.js";
import type { OpenStore } from "../store/open-store.js";
import { readNarInput } from "./nar-input.js";

/** Does what `tvix nar import` promises. */
export async function importNar(invocation: Invocation, host: Host): Promise<number> {
  const { options } = invocation;
  const [word = ""] = invocation.arguments;
  const name = checkName(options.value("name"));
  const { signal } = host;
  await withStore(
    invocation,
    host,
    async (store) => {
      using line = new Progress(host.stderr, { hidden: options.has("quiet") });
      let length = 0;
      const onBytes = (bytes: Uint8Array): void => {
        length += bytes.byteLength;
        line.update(() => `${formatBytes(length)} of NAR`);
      };
      const nar = await ingestNar(store, readNarInput(word), { signal, onBytes });
      const pathInfo = name === undefined ? undefined : await publish(store, name, nar, signal);
      host.stderr.status("");
      if (options.has("json")) await host.stdout.json(jsonOf(nar, pathInfo));
      else await host.stdout.line(pathInfo?.storePath.toString() ?? digestText(nar.root));
    },
    writing(invocation, host),
  );
  return EXIT.ok;
}

function checkName(name: string | undefined): string | undefined {
  if (name === undefined) return undefined;
  try {
    return checkImportName(wordBytes(name));
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new UsageError(`option --name cannot be used: ${error.message}`, { cause: error });
  }
}

/** Makes the path known that Nix gives to this content under this name. */
async function publish(
  store: OpenStore,
  name: string,
  { root, narSize, narSha256 }: IngestedNar,
  signal: AbortSignal,
): Promise<PathInfo> {
  const address = contentAddress("nar", NixHash.of("sha256", narSha256));
  const storePath = buildStorePath(name, address);
  await store.narCalculation.remember(root, { narSize, narSha256 }, { signal });
  const known = await store.pathInfos.get(storePath.digestBytes(), { signal });
  if (known !== undefined) return known;
  return await store.pathInfos.put(
    PathInfo.of({ storePath, node: root, narSize, narSha256, contentAddress: address }),
    { signal },
  );
}

function digestText(root: Node): string {
  if (root.type !== "symlink") return root.digest.toString();
  const what = "the NAR is that of a symbolic link, which has no digest";
  throw new CliError(EXIT.failed, `${what}: give it a store path with --name`);
}

function jsonOf(nar: IngestedNar, pathInfo: PathInfo | undefined): Record<string, unknown> {
  return {
    ...(pathInfo === undefined ? {} : { storePath: pathInfo.storePath.toString() }),
    root: jsonNode(nar.root),
    narHash: narHashText(nar.narSha256),
    narSize: nar.narSize,
  };
}
