import type { CallOptions } from "@tvix/castore";
import { type CastoreServices, type PathInfo, renderNar, verifyContentAddress } from "@tvix/store";

/**
 * Compares the content of a path, whose NAR hash was verified, with its content address, if it has one.
 *
 * @throws `ContentAddressError`
 */
export async function verifyAddress(
  { blobs, directories }: CastoreServices,
  pathInfo: PathInfo,
  call: CallOptions,
): Promise<void> {
  if (pathInfo.contentAddress === undefined) return;
  const { node } = pathInfo;
  async function* file(): AsyncGenerator<Uint8Array, void, undefined> {
    if (node.type !== "file") return;
    const reader = await blobs.openRead(node.digest, call);
    if (reader !== undefined) yield* reader.stream({}, call);
  }
  const source = { nar: () => renderNar({ blobs, directories }, node, call), file };
  await verifyContentAddress(pathInfo, source, call);
}
