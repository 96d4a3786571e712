import type { CallOptions, Node } from "@tvix/castore";
import { StoreError } from "../errors.js";
import { type CastoreServices, renderNar } from "../nar/renderer.js";
import { verifyContentAddress } from "./verify.js";

/**
 * {@link verifyContentAddress} of what is stored. Nothing is wrong with a claim without an address.
 *
 * @throws `ContentAddressError`, and {@link StoreError} "MISSING_REFERENCE" when the content is not there
 */
export async function verifyStoredContent(
  store: CastoreServices,
  claim: Parameters<typeof verifyContentAddress>[0],
  options: CallOptions = {},
): Promise<void> {
  if (claim.contentAddress === undefined) return;
  const { node } = claim;
  const source = {
    nar: () => renderNar(store, node, options),
    file: () => fileContent(store, node, options),
  };
  await verifyContentAddress(claim, source, options);
}

async function* fileContent(
  { blobs }: CastoreServices,
  node: Node,
  options: CallOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (node.type !== "file") return;
  const reader = await blobs.openRead(node.digest, { ...options, expectedSize: Number(node.size) });
  if (reader === undefined) {
    throw new StoreError("MISSING_REFERENCE", `Cannot read blob ${node.digest}: it is not stored`);
  }
  yield* reader.stream({}, options);
}
