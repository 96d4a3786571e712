import { resolve as absolutePath } from "node:path";
import {
  isAnswering,
  type MountHost,
  type NamedNode,
  type RunMountOptions,
  runMount,
  storeFileSystem,
} from "@tvix/mount";
import type { Host, Invocation } from "../command.js";
import { CliError, EXIT, fileError } from "../exit.js";
import { withStoreAt } from "../store/open.js";
import type { OpenStore } from "../store/open-store.js";
import { type StorePlace, storePlace } from "../store/place.js";
import { parseTarget, type Target } from "../target/target.js";
import {
  type BackgroundProcess,
  backgroundProcess,
  defaultLogFile,
  startInBackground,
} from "./background.js";
import { describeFailedRequest } from "./failed-request.js";
import { readServedFiles, type ServedFiles } from "./mount-options.js";
import { readMountPoint } from "./mount-point.js";
import { shownNode } from "./shown-node.js";

/** How far the kernel reads ahead: a remote store answers late, and then has much. In KiB. */
const READ_AHEAD = { local: 1024, remote: 4096 } as const;

/** What the command line asks for. */
interface Request {
  readonly mountPoint: string;
  /** `undefined` for the whole store. */
  readonly target: Target | undefined;
  readonly place: StorePlace;
  readonly served: ServedFiles;
}

/** Mounts the store, or what is in a target, and serves it here or in the background. */
export async function mount(invocation: Invocation, host: Host): Promise<number> {
  const background = backgroundProcess(process.env);
  const request = readRequest(invocation, host);
  if (background === undefined && !invocation.options.has("foreground")) {
    return await inBackground(request, invocation, host);
  }
  await serve(request, background, invocation, host);
  return EXIT.ok;
}

/** All that is wrong with a command line shows here, before anything is done. */
function readRequest(invocation: Invocation, host: Host): Request {
  const { options } = invocation;
  const [, text] = invocation.arguments;
  return {
    mountPoint: readMountPoint(invocation),
    target: text === undefined ? undefined : parseTarget(text),
    place: absolute(storePlace(options, host)),
    served: readServedFiles(options),
  };
}

/** A process in the background leaves the directory it was started in. */
function absolute(place: StorePlace): StorePlace {
  if (place.kind !== "directory") return place;
  return { ...place, directory: absolutePath(place.directory) };
}

async function inBackground(
  { mountPoint }: Request,
  { options }: Invocation,
  host: Host,
): Promise<number> {
  const logFile = absolutePath(options.value("log-file") ?? defaultLogFile(mountPoint, host));
  const { status, said } = await startInBackground(logFile, host.signal);
  const isQuiet = options.has("quiet") && status === undefined;
  if (said !== "" && !isQuiet) host.stderr.line(said.trimEnd());
  host.signal.throwIfAborted();
  // It ended without an error: somebody has unmounted it at once.
  if (status !== undefined) return status === EXIT.ok ? EXIT.failed : status;
  if (await isAnswering(mountPoint)) return EXIT.ok;
  throw new CliError(EXIT.failed, `the mount at ${mountPoint} does not answer; see ${logFile}`);
}

async function serve(
  request: Request,
  background: BackgroundProcess | undefined,
  invocation: Invocation,
  host: Host,
): Promise<void> {
  const { place, served, target } = request;
  await withStoreAt(
    place,
    invocation,
    host,
    async (store) => {
      const shown = target && (await shownNode(store, target, host.signal));
      await serveStore(store, shown, request, { background, invocation, host });
    },
    served.store,
  );
}

/** Who serves: in the background or not, for which command line. */
interface Server {
  readonly background: BackgroundProcess | undefined;
  readonly invocation: Invocation;
  readonly host: Host;
}

async function serveStore(
  store: OpenStore,
  shown: NamedNode | undefined,
  { mountPoint, place, served }: Request,
  server: Server,
): Promise<void> {
  const { options } = server.invocation;
  const fileSystem = storeFileSystem(store, shown, served.files);
  const notes = mountNotes(server);
  const isRemote = place.kind !== "directory";
  const mountOptions: RunMountOptions = {
    allowOther: options.has("allow-other"),
    readAheadKibibytes: isRemote ? READ_AHEAD.remote : READ_AHEAD.local,
    ...(place.kind === "directory" ? { storeDirectory: place.directory } : {}),
    withoutNative: server.host.env["TVIX_MOUNT_NATIVE"] === "0",
    onReady: (path) => {
      if (server.background !== undefined) server.background.ready();
      else if (!options.has("quiet")) notes.note(`mounted at ${path}; Ctrl-C unmounts it`);
    },
    onError: (error, request) => notes.note(describeFailedRequest(error, request)),
  };
  try {
    await runMount(mountPoint, fileSystem, notes, mountOptions);
  } catch (error) {
    if (!(error instanceof Error && "syscall" in error)) throw error;
    throw fileError(`cannot mount at ${mountPoint}`, error);
  }
}

/** Lines for people. In a log they tell when, unless the terminal shows them as well. */
function mountNotes({ background, host }: Server): MountHost {
  return {
    signal: host.signal,
    note: (text) => {
      const time = background?.isReady === true ? `${new Date().toISOString()} ` : "";
      host.stderr.line(`${time}tvix: ${text}`);
    },
  };
}
