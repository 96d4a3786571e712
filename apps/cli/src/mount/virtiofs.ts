import {
  type MountHost,
  type NamedNode,
  type RunVirtiofsOptions,
  runVirtiofs,
  storeFileSystem,
} from "@tvix/mount";
import type { Host, Invocation } from "../command.js";
import { EXIT, UsageError } from "../exit.js";
import { withStore } from "../store/open.js";
import type { OpenStore } from "../store/open-store.js";
import { parseTarget, type Target } from "../target/target.js";
import { describeFailedRequest } from "./failed-request.js";
import { readServedFiles, type ServedFiles } from "./mount-options.js";
import { shownNode } from "./shown-node.js";

/** What the command line asks for. */
interface Request {
  readonly socketPath: string;
  /** `undefined` for the whole store. */
  readonly target: Target | undefined;
  readonly served: ServedFiles;
}

/** Serves the store, or what is in a target, to virtual machines until it is asked to end. */
export async function virtiofs(invocation: Invocation, host: Host): Promise<number> {
  const request = readRequest(invocation);
  const serve = (store: OpenStore): Promise<void> => serveStore(store, request, invocation, host);
  await withStore(invocation, host, serve, request.served.store);
  return EXIT.ok;
}

function readRequest({ arguments: words, options }: Invocation): Request {
  const socket = options.value("socket");
  const [socketPath, target, ...rest] = socket === undefined ? words : [socket, ...words];
  if (rest.length > 0) throw new UsageError("the socket is named twice: once is enough");
  if (socketPath === undefined || socketPath === "") {
    throw new UsageError("name the socket that virtual machines connect to");
  }
  return {
    socketPath,
    target: target === undefined ? undefined : parseTarget(target),
    served: readServedFiles(options),
  };
}

async function serveStore(
  store: OpenStore,
  { socketPath, target, served }: Request,
  { options }: Invocation,
  host: Host,
): Promise<void> {
  const shown: NamedNode | undefined = target && (await shownNode(store, target, host.signal));
  const notes: MountHost = {
    signal: host.signal,
    note: (text) => host.stderr.line(`tvix: ${text}`),
  };
  const virtiofsOptions: RunVirtiofsOptions = {
    createFileSystem: () => storeFileSystem(store, shown, served.files),
    onReady: () => {
      if (options.has("quiet")) return;
      notes.note(`virtual machines can connect to ${socketPath}; Ctrl-C ends this`);
    },
    onError: (error, failed) => notes.note(describeFailedRequest(error, failed)),
  };
  await runVirtiofs(socketPath, notes, virtiofsOptions);
}
