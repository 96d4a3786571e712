import type { Node } from "@tvix/castore";
import {
  type IngestedNar,
  ingestNar,
  type PathInfo,
  ReferenceScanner,
  renderNar,
} from "@tvix/store";
import { checkImportName, publishSource } from "@tvix/store/fs";
import { wordBytes } from "../args/raw-words.js";
import type { Host, Invocation } from "../command.js";
import { CliError, EXIT, UsageError } from "../exit.js";
import { narHashText } from "../format/nar-hash.js";
import { jsonNode } from "../format/nodes.js";
import { formatBytes } from "../format/quantities.js";
import { explainUnknownReference } from "../import/explain-unknown-reference.js";
import { ReferenceCandidates } from "../import/reference-candidates.js";
import { Progress } from "../io/progress.js";
import { STDIN } from "../io/read-input.js";
import { withStore, writing } from "../store/open.js";
import type { OpenStore } from "../store/open-store.js";
import { readNarInput } from "./nar-input.js";

/** Does what `tvix nar import` promises. */
export async function importNar(invocation: Invocation, host: Host): Promise<number> {
  const { options } = invocation;
  const [word = ""] = invocation.arguments;
  const name = checkName(options.value("name"));
  const candidates = await readCandidates(name, word, options.value("references-from"));
  const { signal } = host;
  await withStore(
    invocation,
    host,
    async (store) => {
      using line = new Progress(host.stderr, { hidden: options.has("quiet") });
      await candidates.addStore(store, { signal });
      const scanner = ReferenceScanner.of(candidates.paths);
      let length = 0;
      const onBytes = (bytes: Uint8Array): void => {
        scanner.push(bytes);
        length += bytes.byteLength;
        line.update(() => `${formatBytes(length)} of NAR`);
      };
      const nar = await ingestNar(store, readNarInput(word), { signal, onBytes });
      const pathInfo =
        name === undefined ? undefined : await publish(store, name, nar, { scanner, signal });
      host.stderr.status("");
      if (options.has("json")) await host.stdout.json(jsonOf(nar, pathInfo));
      else await printResult(nar, pathInfo, invocation, host);
    },
    writing(invocation, host),
  );
  return EXIT.ok;
}

/** @throws {@link UsageError} where there is nothing that could refer to them, or no input for both */
async function readCandidates(
  name: string | undefined,
  word: string,
  option: string | undefined,
): Promise<ReferenceCandidates> {
  if (option !== undefined && name === undefined) {
    throw new UsageError("option --references-from is for a store path: give it a --name");
  }
  if (word === STDIN && option?.split(",").includes(STDIN) === true) {
    throw new UsageError("standard input cannot be both the NAR and the list of store paths");
  }
  return await ReferenceCandidates.read(option);
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
  { root, ...nar }: IngestedNar,
  { scanner, signal }: { readonly scanner: ReferenceScanner; readonly signal: AbortSignal },
): Promise<PathInfo> {
  await store.narCalculation.remember(root, nar, { signal });
  const source = {
    ...{ name, node: root, nar, found: scanner.found() },
    async visitNar(visit: (bytes: Uint8Array) => void) {
      for await (const bytes of renderNar(store, root, { signal })) visit(bytes);
    },
  };
  return await publishSource(store.pathInfos, source, { signal }).catch(explainUnknownReference);
}

async function printResult(
  { root }: IngestedNar,
  pathInfo: PathInfo | undefined,
  { options }: Invocation,
  { stdout, stderr }: Host,
): Promise<void> {
  await stdout.line(pathInfo?.storePath.toString() ?? digestText(root));
  if (options.has("quiet")) return;
  for (const reference of pathInfo?.references ?? []) stderr.line(`refers to ${reference}`);
}

function digestText(root: Node): string {
  if (root.type !== "symlink") return root.digest.toString();
  const what = "the NAR is that of a symbolic link, which has no digest";
  throw new CliError(EXIT.failed, `${what}: give it a store path with --name`);
}

function jsonOf(nar: IngestedNar, pathInfo: PathInfo | undefined): Record<string, unknown> {
  return {
    ...(pathInfo === undefined ? {} : describe(pathInfo)),
    root: jsonNode(nar.root),
    narHash: narHashText(nar.narSha256),
    narSize: nar.narSize,
  };
}

function describe({ storePath, references }: PathInfo): Record<string, unknown> {
  return { storePath: storePath.toString(), references: references.map(String) };
}
