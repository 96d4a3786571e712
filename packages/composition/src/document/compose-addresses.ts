import type { ServiceKind } from "../service-kind.js";
import type { CompositionDocument, WrittenService } from "./composition-document.js";

/** An address, and where it was written: `option --store`, `BLOB_SERVICE_ADDR`. */
export interface WrittenAddress {
  readonly address: string;
  readonly place: string;
}

/** The composition of three addresses. Their references to `root` mean each other. */
export function composeAddresses(
  addresses: { readonly [K in ServiceKind]: WrittenAddress },
  directory: string,
): CompositionDocument {
  const { blobs, directories, pathInfos } = addresses;
  return {
    blobs: new Map([["root", writtenAt(blobs)]]),
    directories: new Map([["root", writtenAt(directories)]]),
    pathInfos: new Map([["root", writtenAt(pathInfos)]]),
    origin: "the addresses",
    directory,
  };
}

/** The service at an address. */
export function writtenAt({ address, place }: WrittenAddress): WrittenService {
  return { address, place, placeOf: () => place };
}
