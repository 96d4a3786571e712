/**
 * Where a narinfo says that its NAR is.
 *
 * Nix puts it behind the URL of the cache and a slash, unless it starts with a scheme. We take
 * what can be nothing else than a place below the cache, or on some http(s) server: other schemes,
 * steps upwards, other hosts in disguise (`//host`) and what could break a line or a header are
 * refused. What is taken stays as it is: servers choose their names, and some are long.
 */
import { StoreError } from "../errors.js";

/** Longest URL that is taken; that of a symbolic link in castore holds a target of 4095 bytes. */
export const MAX_NAR_URL_LENGTH = 8192;

/** Why `url` is refused; `undefined` when it is not. */
export function narUrlProblem(url: string): string | undefined {
  if (url.length > MAX_NAR_URL_LENGTH) return `it is longer than ${MAX_NAR_URL_LENGTH} characters`;
  if (!/^[!-~]+$/.test(url)) return "it is empty or has other characters than those of ASCII";
  if (/[\\#]/.test(url)) return "backslashes and fragments are not allowed";
  return /^https?:\/\//i.test(url) ? absoluteProblem(url) : relativeProblem(url);
}

function absoluteProblem(url: string): string | undefined {
  if (!URL.canParse(url)) return "it is not a URL";
  const { username, password } = new URL(url);
  return username === "" && password === "" ? undefined : "it holds a user name or a password";
}

function relativeProblem(url: string): string | undefined {
  const [path = ""] = url.split("?", 1);
  if (path.startsWith("/")) return "it starts with a slash";
  // What looks like a scheme is one to a URL parser: "javascript:", "file:", "c:".
  if (/^[^/]*:/.test(path)) return "it has a scheme other than http and https";
  const steps = path.split("/").map((step) => step.replace(/%2e/gi, "."));
  if (steps.includes("..") || steps.includes(".")) return "it has steps such as .. in its path";
  return undefined;
}

/**
 * The URL to ask for: `url` itself if it is absolute, else `url` behind the URL of the cache and a
 * slash, as Nix joins them. A query of the cache's URL is left out.
 *
 * @throws {@link StoreError} with code "INVALID_ARGUMENT" when `url` is refused, as
 *   `parseNarinfo()` does
 */
export function resolveNarUrl(cache: URL, url: string): URL {
  const problem = narUrlProblem(url);
  if (problem !== undefined) {
    throw new StoreError("INVALID_ARGUMENT", `Cannot resolve the URL of a NAR: ${problem}`);
  }
  if (/^https?:\/\//i.test(url)) return new URL(url);
  const base = new URL(cache);
  base.search = "";
  base.hash = "";
  if (!base.pathname.endsWith("/")) base.pathname += "/";
  // "./" keeps a first segment with a colon in its query from being read as a scheme.
  return new URL(`./${url}`, base);
}
