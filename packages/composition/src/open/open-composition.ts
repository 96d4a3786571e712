import type { BlobService, DirectoryService } from "@tvix/castore";
import type { PathInfoService } from "@tvix/store";
import { CompositionError } from "../composition-error.js";
import type { ServiceReference } from "../fields/field.js";
import type { CompositionPlan, PlannedService } from "../plan/plan.js";
import type { OpenContext, OpenedService, WholeStore } from "../registry/backend.js";
import type { ServiceKind } from "../service-kind.js";
import { Closers } from "./closers.js";
import type { StoreResources } from "./store-resources.js";

/** A composition, open. */
export interface Composition extends WholeStore, AsyncDisposable {
  readonly blobs: BlobService;
  readonly directories: DirectoryService;
  readonly pathInfos: PathInfoService;
  /**
   * Closes the services, the last opened first, and then what they share. Ends in bounded time; what
   * is under way fails. A second call does nothing.
   *
   * @throws what failed first
   */
  close(): Promise<void>;
}

export interface OpenCompositionOptions {
  /** What services share. Closed with the composition. */
  readonly resources: StoreResources;
  /** The data directory that `local:` means. Absolute. */
  readonly dataDirectory?: () => string;
  /** Is told in one line what should be known and makes nothing fail; nobody by default. */
  readonly warn?: (message: string) => void;
  /** How long one service may take to close, in milliseconds; 10,000 by default. */
  readonly closeMs?: number;
}

/**
 * Opens what a plan needs: the three entry points and whatever they lead to, each service once.
 *
 * @throws {@link CompositionError} with reason "unusable", and what the backends throw; all is closed then
 */
export async function openComposition(
  plan: CompositionPlan,
  options: OpenCompositionOptions,
): Promise<Composition> {
  const closers = new Closers(options.closeMs);
  closers.add(() => options.resources.close());
  const opener = new Opener(options, closers);
  try {
    const blobs = await opener.open(plan.blobs);
    const directories = await opener.open(plan.directories);
    const pathInfos = await opener.open(plan.pathInfos);
    return composed(blobs, directories, pathInfos, closers);
  } catch (error) {
    // What failed first is what counts.
    await closers.closeAll().catch(() => {});
    throw error;
  }
}

function composed(
  blobs: OpenedService<"blobs">,
  directories: OpenedService<"directories">,
  pathInfos: OpenedService<"pathInfos">,
  closers: Closers,
): Composition {
  // What one store can do counts only where nothing else takes part.
  const { whole } = pathInfos;
  const isWhole = blobs.whole === whole && directories.whole === whole;
  return {
    ...(isWhole ? whole : {}),
    blobs: blobs.service,
    directories: directories.service,
    pathInfos: pathInfos.service,
    close: () => closers.closeAll(),
    [Symbol.asyncDispose]: () => closers.closeAll(),
  };
}

/** Opens each service of a plan once, whoever asks. */
class Opener {
  readonly #options: OpenCompositionOptions;
  readonly #closers: Closers;
  readonly #opened = new Map<ServiceReference, Promise<OpenedService>>();

  constructor(options: OpenCompositionOptions, closers: Closers) {
    this.#options = options;
    this.#closers = closers;
  }

  open<K extends ServiceKind>(reference: ServiceReference<K>): Promise<OpenedService<K>> {
    let opening = this.#opened.get(reference);
    if (opening === undefined) {
      // References are given out by the planner, which makes nothing else of them.
      const { backend, settings } = reference as PlannedService<K>;
      opening = backend.open(settings, this.#context(reference));
      this.#opened.set(reference, opening);
    }
    // A reference leads to a service of its own kind.
    return opening as Promise<OpenedService<K>>;
  }

  #context({ label }: ServiceReference): OpenContext {
    const { resources, dataDirectory } = this.#options;
    return {
      label,
      open: (reference) => this.open(reference),
      localStore: (directory) => resources.localStore(directory),
      channel: (address, options) => resources.channel(address, options),
      dataDirectory: () => {
        if (dataDirectory !== undefined) return dataDirectory();
        throw new CompositionError("unusable", [
          `${label} names no directory, and there is none to take`,
        ]);
      },
      warn: this.#options.warn ?? (() => {}),
      onClose: (close) => this.#closers.add(close),
    };
  }
}
