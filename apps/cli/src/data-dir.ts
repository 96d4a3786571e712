import { isAbsolute, join } from "node:path";
import { UsageError } from "./exit.js";

/** Where the data directory of a user without any settings can be told from. */
export interface DataDirSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly homeDirectory: string;
  readonly isRoot: boolean;
}

/**
 * The data directory: `--data-dir`, else `$TVIX_DATA_DIR`, else `$XDG_DATA_HOME/tvix`, else
 * `/var/lib/tvix` for root and `~/.local/share/tvix` for everyone else.
 *
 * An XDG_DATA_HOME that is not absolute is ignored, as its specification asks.
 *
 * @throws {@link UsageError} when one of the first two is set but empty
 */
export function dataDirectory(option: string | undefined, sources: DataDirSources): string {
  const { env, homeDirectory, isRoot } = sources;
  if (option === "") throw new UsageError("option --data-dir needs a directory, but it is empty");
  if (option !== undefined) return option;
  const own = env["TVIX_DATA_DIR"];
  if (own === "")
    throw new UsageError("TVIX_DATA_DIR is set but empty: unset it or name a directory");
  if (own !== undefined) return own;
  const xdg = env["XDG_DATA_HOME"];
  if (xdg !== undefined && isAbsolute(xdg)) return join(xdg, "tvix");
  return isRoot ? "/var/lib/tvix" : join(homeDirectory, ".local", "share", "tvix");
}
