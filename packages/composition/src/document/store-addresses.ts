import { parseServiceAddress, type ServiceAddress } from "../address/service-address.js";
import type { BackendRegistry } from "../registry/backend-registry.js";
import type { ServiceKind } from "../service-kind.js";
import type { WrittenAddress } from "./compose-addresses.js";

/** The addresses of the three services of a store. */
export type StoreAddresses = { readonly [K in ServiceKind]: WrittenAddress };

/**
 * What one address means that stands for a whole store: the same for each of its services, if each can be there.
 * A service that keeps only path infos (as `nix+https:`) takes what they lead to into the near store of the
 * cache that it is the far one of, and into memory where it stands alone.
 */
export function storeAddresses(
  { address, place }: WrittenAddress,
  registry: BackendRegistry,
): StoreAddresses {
  return {
    blobs: { address: contentAddress("blobs", address, registry), place },
    directories: { address: contentAddress("directories", address, registry), place },
    pathInfos: { address, place },
  };
}

function contentAddress(
  kind: "blobs" | "directories",
  text: string,
  registry: BackendRegistry,
): string {
  const address = parsed(text);
  if (address === undefined) return text;
  if (keepsOnlyPathInfos(kind, address, registry)) return "memory:";
  const { near, far } = nearAndFar(address);
  const source = far === undefined ? undefined : parsed(far);
  if (near === undefined || source === undefined) return text;
  if (keepsOnlyPathInfos(kind, source, registry)) return contentAddress(kind, near, registry);
  return text;
}

function keepsOnlyPathInfos(
  kind: ServiceKind,
  { scheme }: ServiceAddress,
  registry: BackendRegistry,
): boolean {
  return (
    registry.ofScheme(kind, scheme) === undefined &&
    registry.ofScheme("pathInfos", scheme) !== undefined
  );
}

function nearAndFar({ scheme, query }: ServiceAddress): { near?: string; far?: string } {
  const near = query.get("near");
  const far = query.get("far");
  return scheme === "cache" && near !== undefined && far !== undefined ? { near, far } : {};
}

/** @returns `undefined` for what is no address: that is said where the address is planned */
function parsed(text: string): ServiceAddress | undefined {
  try {
    return parseServiceAddress(text);
  } catch {
    return undefined;
  }
}
