import { readFile } from "node:fs/promises";
import { equalBytes } from "@tvix/castore";
import { PathInfo, SigningKey, withRootSignatures } from "@tvix/store";
import type { Host, Invocation } from "../command.js";
import { parseWanted } from "../copy/ends.js";
import type { WantedPath } from "../copy/plan.js";
import { CliError, EXIT, fileError, NotFoundError, UsageError } from "../exit.js";
import { plural } from "../format/quantities.js";
import { withStore, writing } from "../store/open.js";
import type { OpenStore } from "../store/open-store.js";

/** Does what `tvix sign` promises. */
export async function sign(invocation: Invocation, host: Host): Promise<number> {
  const { options } = invocation;
  const file = options.value("key-file");
  if (file === undefined) throw new UsageError("sign needs --key-file FILE");
  const wanted = invocation.arguments.map(parseWanted);
  const key = await readKey(file);
  const write = writing(invocation, host);
  await withStore(
    invocation,
    host,
    async (store) => {
      for (const path of wanted) await signPath(store, path, key, host);
    },
    write,
  );
  if (!options.has("quiet")) {
    host.stderr.line(`signed ${plural(wanted.length, "path")} with ${key.keyName}`);
  }
  return EXIT.ok;
}

async function readKey(file: string): Promise<SigningKey> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    throw fileError(`cannot read the key file ${file}`, cause);
  }
  return SigningKey.parse(text);
}

async function signPath(
  store: OpenStore,
  { outputHash, name, text }: WantedPath,
  key: SigningKey,
  { signal }: Host,
): Promise<void> {
  const known = await store.pathInfos.get(outputHash, { signal });
  if (known === undefined || (name ?? known.storePath.name) !== known.storePath.name) {
    throw new NotFoundError(`/nix/store/${text} is not in the store at ${store.place}`);
  }
  const { storePath, node, narSize, narSha256, references, deriver, contentAddress } = known;
  const actual = await store.narCalculation.calculateNar(node, { signal });
  if (actual.narSize !== narSize || !equalBytes(actual.narSha256, narSha256)) {
    const what = "its content has another NAR than is stated: see tvix verify";
    throw new CliError(EXIT.corrupt, `cannot sign ${storePath}: ${what}`);
  }
  const ofPath = key.sign(known);
  const isNew = !known.signatures.some((signature) => signature.equals(ofPath));
  const signatures = [...known.signatures, ...(isNew ? [ofPath] : [])];
  const fields = { storePath, node, narSize, narSha256, references, deriver, contentAddress };
  const signed = withRootSignatures(PathInfo.of({ ...fields, signatures }), [key]);
  await store.pathInfos.put(signed, { signal });
}
