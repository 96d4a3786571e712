import {
  Code,
  ConnectError,
  type ConnectRouter,
  type HandlerContext,
  type ServiceImpl,
} from "@connectrpc/connect";
import {
  DirectoryService as DirectoryServiceDesc,
  type GetDirectoryRequest,
  type Directory as ProtoDirectory,
} from "@tvix/protos/castore";
import { SnixDirectoryService } from "@tvix/protos/snix";
import type { DirectoryService } from "../directoryservice/directory-service.js";
import type { Directory } from "../nodes/directory.js";
import { digestField } from "./digest-field.js";
import { directoryFromMessage, directoryToMessage } from "./directory-message.js";
import {
  answer,
  answerStream,
  type ErrorPolicy,
  type RpcOptions,
  requestsOf,
} from "./handler-call.js";
import { MAX_DIRECTORIES_PER_UPLOAD } from "./limits.js";

/** What of the service is limited. */
export interface DirectoryRpcOptions extends RpcOptions {
  /** Most Directories of one upload; {@link MAX_DIRECTORIES_PER_UPLOAD} by default. */
  readonly maxDirectories?: number;
}

/**
 * Serves `directories` as the DirectoryService of tvix and of snix. Status codes are those of tvix, also
 * where others would say more: an upload that breaks a rule and a closure with a gap are Internal (the
 * trailer of `castoreErrorToConnect` has the code of ours).
 */
export function registerDirectoryService(
  router: ConnectRouter,
  directories: DirectoryService,
  options: DirectoryRpcOptions = {},
): void {
  const { maxDirectories = MAX_DIRECTORIES_PER_UPLOAD } = options;
  const getPolicy: ErrorPolicy = {
    ...options,
    mapping: { codes: { MISSING_REFERENCE: Code.Internal } },
  };
  const putPolicy: ErrorPolicy = {
    ...options,
    mapping: { codes: { INVALID_ARGUMENT: Code.Internal, MISSING_REFERENCE: Code.Internal } },
  };
  const implementation: ServiceImpl<typeof DirectoryServiceDesc> = {
    get: (request, context) =>
      answerStream(context, getPolicy, getDirectories(directories, request, context)),
    put: (requests, context) =>
      answer(context, putPolicy, async () => {
        const { signal } = context;
        const upload = directoriesOf(requestsOf(requests, context), maxDirectories);
        const digest = await directories.putMultiple(upload, { signal });
        return { rootDigest: digest.toBytes() };
      }),
  };
  router.service(DirectoryServiceDesc, implementation);
  router.service(SnixDirectoryService, implementation);
}

/**
 * An absent Directory is an error that follows no message. Stock clients tell it from other failures
 * only when the headers came before it, on their own: adapters send them first, see the tests.
 */
async function* getDirectories(
  directories: DirectoryService,
  request: GetDirectoryRequest,
  { signal }: HandlerContext,
): AsyncGenerator<ProtoDirectory, void, undefined> {
  if (request.byWhat.case === undefined) {
    throw new ConnectError("invalid by_what: nothing is set", Code.InvalidArgument);
  }
  const digest = digestField(request.byWhat.value);
  if (request.recursive) {
    for await (const directory of directories.getRecursive(digest, { signal })) {
      yield directoryToMessage(directory);
    }
    return;
  }
  const directory = await directories.get(digest, { signal });
  if (directory === undefined) {
    throw new ConnectError(`directory ${digest} not found`, Code.NotFound);
  }
  yield directoryToMessage(directory);
}

async function* directoriesOf(
  messages: AsyncIterable<ProtoDirectory>,
  max: number,
): AsyncGenerator<Directory, void, undefined> {
  let count = 0;
  for await (const message of messages) {
    checkDirectoryCount(++count, max);
    yield directoryFromMessage(message);
  }
}

/**
 * Whether an upload may have so many Directories.
 *
 * @throws ConnectError with ResourceExhausted
 */
export function checkDirectoryCount(count: number, max: number): void {
  if (count <= max) return;
  throw new ConnectError(
    `Cannot store directories: more than ${max} in one upload`,
    Code.ResourceExhausted,
  );
}
