import { LocalStore, type LocalStoreOptions } from "@tvix/castore/local";
import {
  CompositionError,
  openComposition,
  printComposition,
  StoreResources,
} from "@tvix/composition";
import type { RpcChannelOptions } from "@tvix/grpc";
import {
  RememberedNarCalculation,
  RenderedNarCalculation,
  type StoreMaintenance,
} from "@tvix/store";
import type { Host } from "../command.js";
import { CliError, EXIT, NotFoundError, UsageError } from "../exit.js";
import type { Diagnostics } from "../io/diagnostics.js";
import { type CompositionPlace, planOf } from "./composition-plan.js";
import type { OpenStore } from "./open-store.js";
import { openSideCache } from "./side-cache.js";

/** How the parts of a composition are opened. */
export interface ComposedOptions {
  /** For the directories in it. */
  readonly local: LocalStoreOptions;
  /** For the server in it, if it is one. */
  readonly token: string | undefined;
  /** Is told what should be known; `undefined` to keep quiet. */
  readonly notes: Diagnostics | undefined;
}

/**
 * Opens a store that is put together from others.
 *
 * @throws {@link UsageError} with everything that is wrong in it
 */
export async function openComposed(
  place: CompositionPlace,
  { local, token, notes }: ComposedOptions,
  host: Host,
): Promise<OpenStore> {
  const plan = await planOf(place);
  // A cache is written to by those who read from it, but they wait for nobody else who writes.
  const { readOnly, recover, ...rest } = local;
  const localOptions = { ...rest, wait: readOnly !== true };
  const resources = new StoreResources({
    openLocal: (directory) => LocalStore.open(directory, localOptions),
    ...(token === undefined ? {} : { channelOptions: forOneServer(token) }),
  });
  const shown = showPlace(place);
  const composition = await openComposition(plan, {
    resources,
    dataDirectory: () => place.dataDirectory,
    ...(notes === undefined ? {} : { warn: (message) => notes.line(`tvix: ${message}`) }),
  }).catch(rethrowAbsence);
  const side = await openSideCache(printComposition(plan), host);
  const rendered = composition.narCalculation ?? new RenderedNarCalculation(composition);
  return {
    place: shown,
    blobs: composition.blobs,
    directories: composition.directories,
    pathInfos: composition.pathInfos,
    narCalculation: new RememberedNarCalculation(rendered, side.derived("nar")),
    maintenance: composition.maintenance ?? refusingMaintenance(shown),
    statCache: side.derived("stat"),
    counts: () => undefined,
    async close() {
      await side.close();
      await composition.close();
    },
  };
}

/** A file that a composition names and that is not there ends as one that the command line names. */
function rethrowAbsence(error: unknown): never {
  if (!(error instanceof CompositionError)) throw error;
  const { cause } = error;
  const isAbsent = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
  throw isAbsent ? new NotFoundError(error.message, { cause }) : error;
}

/** A token is for one server: the others must not learn it. */
function forOneServer(token: string): (address: string) => RpcChannelOptions {
  let only: string | undefined;
  return (address) => {
    only ??= address;
    if (only === address) return { token };
    throw new UsageError(
      `the token of --token-file is for one server, but there are ${only} and ${address}: give each its own with token_file`,
    );
  };
}

/** Where a composition is, for messages. */
function showPlace({ source }: CompositionPlace): string {
  if ("file" in source) return source.file;
  if ("store" in source) return source.store.address;
  return "the stores of single services";
}

function refusingMaintenance(place: string): StoreMaintenance {
  const refuse = (): never => {
    throw new CliError(
      EXIT.failed,
      `${place} is not one store that could be described or checked as a whole: name a part of it with --store`,
    );
  };
  return {
    describe: async () => refuse(),
    // biome-ignore lint/correctness/useYield: it only refuses.
    check: async function* () {
      refuse();
    },
  };
}
