import type { LocalStore } from "@tvix/castore/local";
import {
  type PathInfoService,
  RememberedNarCalculation,
  RenderedNarCalculation,
} from "@tvix/store";
import { LocalPathInfoService, LocalStoreMaintenance } from "@tvix/store/local";
import { filePathOf, type ServiceAddress } from "../address/service-address.js";
import { optional, path } from "../fields/fields.js";
import type { OpenContext, WholeStore } from "../registry/backend.js";
import type { BackendRegistry } from "../registry/backend-registry.js";

/** `local:///DIR`: the store of a data directory, in this process; `local:` for the directory of the caller. */
export function registerLocal(registry: BackendRegistry): void {
  const schemes = ["local"];
  const fields = { path: optional(path()) };
  const types = ["local"] as const;
  registry.register("blobs", {
    types: [...types],
    schemes,
    fields,
    fromAddress,
    open: async (settings, context) => {
      const { local, whole } = await openLocal(settings.path, context);
      return { service: local.blobs, whole };
    },
  });
  registry.register("directories", {
    types: [...types],
    schemes,
    fields,
    fromAddress,
    open: async (settings, context) => {
      const { local, whole } = await openLocal(settings.path, context);
      return { service: local.directories, whole };
    },
  });
  registry.register("pathInfos", {
    types: [...types],
    schemes,
    fields,
    fromAddress,
    open: async (settings, context) => {
      const { pathInfos, whole } = await openLocal(settings.path, context);
      return { service: pathInfos, whole };
    },
  });
}

function fromAddress(address: ServiceAddress): Readonly<Record<string, unknown>> {
  const directory = filePathOf(address);
  return directory === undefined ? {} : { path: directory };
}

interface OpenedLocal {
  readonly local: LocalStore;
  readonly pathInfos: PathInfoService;
  readonly whole: WholeStore;
}

/** One for each store, so that its services show that they belong together. */
const OPENED = new WeakMap<LocalStore, OpenedLocal>();

async function openLocal(path: string | undefined, context: OpenContext): Promise<OpenedLocal> {
  const directory = path ?? context.dataDirectory();
  const local = await context.localStore(directory);
  const known = OPENED.get(local);
  if (known !== undefined) return known;
  const pathInfos = LocalPathInfoService.of(local);
  const narCalculation = new RememberedNarCalculation(
    new RenderedNarCalculation(local),
    local.derived("nar"),
  );
  const maintenance = new LocalStoreMaintenance({ directory, local, pathInfos });
  const opened = { local, pathInfos, whole: { maintenance, narCalculation, local } };
  OPENED.set(local, opened);
  return opened;
}
