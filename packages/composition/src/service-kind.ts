import type { BlobService, DirectoryService } from "@tvix/castore";
import type { PathInfoService } from "@tvix/store";

/** The contract that stands behind each kind of service. */
export interface ServiceOf {
  readonly blobs: BlobService;
  readonly directories: DirectoryService;
  readonly pathInfos: PathInfoService;
}

/** One of the three kinds of services that make a store. */
export type ServiceKind = keyof ServiceOf;

/** All kinds, in the order in which they are opened and printed. */
export const SERVICE_KINDS: readonly ServiceKind[] = ["blobs", "directories", "pathInfos"];

/** The table of a TOML composition that holds the services of each kind, as in tvix and snix. */
export const TABLE_OF_KIND: Readonly<Record<ServiceKind, string>> = {
  blobs: "blobservices",
  directories: "directoryservices",
  pathInfos: "pathinfoservices",
};

/** One service of each kind, for people. */
export const NAME_OF_KIND: Readonly<Record<ServiceKind, string>> = {
  blobs: "blob service",
  directories: "directory service",
  pathInfos: "path info service",
};
