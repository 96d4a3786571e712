import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { BenchOptions } from "../options.js";
import { measure } from "../process/measure.js";
import { prepareTrees } from "../scratch.js";
import type { CacheSide } from "./cache-run.js";
import { type Closures, makeClosures } from "./closure.js";
import { Nix } from "./nix.js";
import { startCache } from "./servers.js";
import type { Session } from "./session.js";

/** Closures, and caches of both kinds that have them. */
export interface CacheMaterials {
  readonly nix: Nix;
  readonly closures: Closures;
  readonly contents: Readonly<Record<CacheSide, string>>;
}

/** Makes everything. Nix itself fills both caches, with NARs that are not compressed. */
export async function makeMaterials(
  session: Session,
  options: Pick<BenchOptions, "trees">,
): Promise<CacheMaterials> {
  const { scratch, host, sizes } = session;
  const trees = prepareTrees(scratch, options, host.say);
  host.say("Making closures, and caches with them");
  const folder = join(scratch.folder, "closure");
  const nix = new Nix(join(scratch.folder, "nix"));
  const closures = makeClosures(folder, trees, nix, sizes);
  const roots = [closures.measured.root, closures.warm.root];
  const contents = { tvix: join(folder, "data"), nginx: join(folder, "files") };
  for (const content of Object.values(contents)) mkdirSync(content);
  const files = `file://${contents.nginx}?compression=none`;
  nix.output("nix", ["copy", "--from", closures.measured.store, "--to", files, ...roots]);
  const task = { side: "tvix", content: contents.tvix, folder, takesUploads: true } as const;
  const server = await startCache(task, host.signal);
  try {
    const copy = ["copy", "--from", `file://${contents.nginx}`, "--to", uploadUrl(server.url)];
    const { signal } = host;
    await measure(nix.command("nix", [...copy, ...roots]), { stdout: "discard", signal });
  } finally {
    await server.stop();
  }
  return { nix, closures, contents };
}

/** Nix would compress with xz otherwise. */
export function uploadUrl(url: string): string {
  return `${url}?compression=none`;
}
