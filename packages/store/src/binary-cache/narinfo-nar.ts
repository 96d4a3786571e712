import { type CallOptions, equalBytes, type Node } from "@tvix/castore";
import { isRootStored } from "../nar-roots/is-root-stored.js";
import type { NarRoot } from "../nar-roots/nar-roots.js";
import type { Narinfo } from "../narinfo/narinfo.js";
import { decodeNixBase32, InvalidNixBase32Error } from "../nixbase32.js";
import type { PathInfo } from "../path-info.js";
import type { CacheParts } from "./cache-parts.js";
import { parseCastoreNarUrl } from "./castore-nar-url.js";
import { CacheRefusal } from "./refusal.js";
import { BASE32 } from "./route.js";

const NAR_FILE_URL = new RegExp(`^nar/(${BASE32}{52})\\.nar(?:\\.[a-z0-9]{1,8})?$`);

/**
 * The NAR that a narinfo is about. Its hash is the one that was computed of it, here or by the process that
 * it was uploaded to; its size is for the caller to compare.
 *
 * A narinfo that we served may come back with more signatures: its URL names the root.
 *
 * @throws {@link CacheRefusal} when the NAR is not here, or the file at the URL holds another one
 */
export async function findUploadedNar(
  parts: CacheParts,
  narinfo: Narinfo,
  known: PathInfo | undefined,
  options: CallOptions,
): Promise<NarRoot> {
  await checkFile(parts, narinfo, options);
  const uploaded = await parts.narRoots.get(narinfo.narSha256, options);
  if (uploaded !== undefined) return uploaded;
  if (known !== undefined && (await isRootStored(parts, known.node, options))) {
    return { root: known.node, narSize: known.narSize };
  }
  const url = parseCastoreNarUrl(narinfo.url);
  if (url !== undefined) return calculated(parts, narinfo, url.root, options);
  throw new CacheRefusal(400, `the NAR of ${narinfo.storePath} is not here: upload it first`);
}

/** The file that the URL names, when it came here, has to hold the NAR of the narinfo. */
async function checkFile(
  parts: CacheParts,
  { url, narSha256 }: Narinfo,
  options: CallOptions,
): Promise<void> {
  const fileSha256 = fileIn(url);
  if (fileSha256 === undefined || equalBytes(fileSha256, narSha256)) return;
  const inFile = await parts.narRoots.getFile(fileSha256, options);
  const isOther =
    inFile === undefined
      ? (await parts.narRoots.get(fileSha256, options)) !== undefined
      : !equalBytes(inFile, narSha256);
  if (!isOther) return;
  throw new CacheRefusal(400, `the NAR in ${url} has another hash than the narinfo says`);
}

function fileIn(url: string): Uint8Array | undefined {
  const [, hash] = NAR_FILE_URL.exec(url) ?? [];
  if (hash === undefined) return undefined;
  try {
    return decodeNixBase32(hash);
  } catch (error) {
    if (!(error instanceof InvalidNixBase32Error)) throw error;
    return undefined;
  }
}

async function calculated(
  parts: CacheParts,
  { narSha256, storePath }: Narinfo,
  root: Node,
  options: CallOptions,
): Promise<NarRoot> {
  if (!(await isRootStored(parts, root, options))) {
    throw new CacheRefusal(400, `the content of ${storePath} is not here: upload its NAR first`);
  }
  const calculation = await parts.calculateNar.calculateNar(root, options);
  if (equalBytes(calculation.narSha256, narSha256)) return { root, ...calculation };
  throw new CacheRefusal(400, `the NAR of ${storePath} has another hash than the narinfo says`);
}
