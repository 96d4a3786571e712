import {
  Code,
  ConnectError,
  type ConnectRouter,
  type HandlerContext,
  type ServiceImpl,
} from "@connectrpc/connect";
import type { Node } from "@tvix/castore";
import { answer, answerStream, type ErrorPolicy, type RpcOptions } from "@tvix/castore/rpc";
import type { Node as ProtoNode } from "@tvix/protos/castore";
import { SnixPathInfoService } from "@tvix/protos/snix";
import {
  type GetPathInfoRequest,
  PathInfoService as PathInfoServiceDesc,
  type PathInfo as ProtoPathInfo,
} from "@tvix/protos/store";
import { StoreError } from "../errors.js";
import type { CastoreServices } from "../nar/renderer.js";
import type { NarCalculationService } from "../nar-calculation.js";
import type { PathInfo } from "../path-info.js";
import type { PathInfoService } from "../pathinfoservice/path-info-service.js";
import type { RootSigner } from "../signed-root/root-signer.js";
import { STORE_PATH_DIGEST_LENGTH } from "../store-path/store-path.js";
import { pathInfoFromProto, pathInfoToProto } from "../wire/path-info-message.js";
import { anonymousNodeFromProto } from "./anonymous-node.js";
import { isCodedError } from "./error-mapping.js";

/** What of the service is offered, beside `Get` and `Put`. */
export interface PathInfoRpcOptions extends RpcOptions {
  /** Whether `List` tells all store paths to whoever asks; true by default. */
  readonly list?: boolean;
  /** Computes NARs for `CalculateNAR`, which is not offered without it. Should remember its results. */
  readonly calculateNar?: NarCalculationService;
  /**
   * Where the root of a path info must be before it is put. To be given when `put` of the path info
   * service does not check that itself.
   */
  readonly roots?: CastoreServices;
  /** Signs the roots of what `Get` answers. Nothing is signed without it. */
  readonly rootSigner?: RootSigner | undefined;
}

/** Serves `pathInfos` as the PathInfoService of tvix and of snix, with the status codes of tvix. */
export function registerPathInfoService(
  router: ConnectRouter,
  pathInfos: PathInfoService,
  options: PathInfoRpcOptions = {},
): void {
  const handlers = new PathInfoHandlers(pathInfos, options);
  const policy: ErrorPolicy = { ...options, mapping: { isCoded: isCodedError } };
  const putPolicy: ErrorPolicy = {
    ...options,
    mapping: { isCoded: isCodedError, codes: { MISSING_REFERENCE: Code.FailedPrecondition } },
  };
  const implementation: ServiceImpl<typeof PathInfoServiceDesc> = {
    get: (request, context) => answer(context, policy, () => handlers.get(request, context)),
    put: (request, context) => answer(context, putPolicy, () => handlers.put(request, context)),
    calculateNAR: (request, context) =>
      answer(context, policy, () => handlers.calculateNar(request, context)),
    list: (_, context) =>
      answerStream(context, { ...policy, mapping: listMapping }, handlers.list(context)),
  };
  router.service(PathInfoServiceDesc, implementation);
  router.service(SnixPathInfoService, implementation);
}

/** What goes wrong in the middle of a list is Internal, whatever it is. */
const listMapping = {
  isCoded: isCodedError,
  codes: { CORRUPT: Code.Internal, MISSING_REFERENCE: Code.Internal },
};

class PathInfoHandlers {
  readonly #pathInfos: PathInfoService;
  readonly #options: PathInfoRpcOptions;

  constructor(pathInfos: PathInfoService, options: PathInfoRpcOptions) {
    this.#pathInfos = pathInfos;
    this.#options = options;
  }

  async get({ byWhat }: GetPathInfoRequest, { signal }: HandlerContext): Promise<ProtoPathInfo> {
    if (byWhat.case === undefined) {
      throw new ConnectError("by_what needs to be specified", Code.Unimplemented);
    }
    const { byteLength } = byWhat.value;
    if (byteLength !== STORE_PATH_DIGEST_LENGTH) {
      throw new ConnectError(
        `invalid output digest length: expected ${STORE_PATH_DIGEST_LENGTH} bytes, got ${byteLength}`,
        Code.InvalidArgument,
      );
    }
    const pathInfo = await this.#pathInfos.get(byWhat.value, { signal });
    if (pathInfo === undefined) throw new ConnectError("PathInfo not found", Code.NotFound);
    const { rootSigner } = this.#options;
    return pathInfoToProto((await rootSigner?.sign(pathInfo, { signal })) ?? pathInfo);
  }

  async put(message: ProtoPathInfo, { signal }: HandlerContext): Promise<ProtoPathInfo> {
    const pathInfo = pathInfoFromProto(message);
    await this.#checkRoot(pathInfo, signal);
    return pathInfoToProto(await this.#pathInfos.put(pathInfo, { signal }));
  }

  async calculateNar(message: ProtoNode, { signal }: HandlerContext) {
    const { calculateNar } = this.#options;
    if (calculateNar === undefined) {
      throw new ConnectError("CalculateNAR is not offered here", Code.Unimplemented);
    }
    return calculateNar.calculateNar(rootNode(message), { signal });
  }

  async *list({ signal }: HandlerContext): AsyncGenerator<ProtoPathInfo, void, undefined> {
    if (this.#options.list === false) {
      throw new ConnectError("List is switched off on this server", Code.PermissionDenied);
    }
    for await (const pathInfo of this.#pathInfos.list({ signal })) yield pathInfoToProto(pathInfo);
  }

  async #checkRoot({ storePath, node }: PathInfo, signal: AbortSignal): Promise<void> {
    const { roots } = this.#options;
    if (roots === undefined || (await isStored(roots, node, signal))) return;
    throw new StoreError(
      "MISSING_REFERENCE",
      `Cannot store the path info of ${storePath}: its root is not stored`,
    );
  }
}

async function isStored(
  { blobs, directories }: CastoreServices,
  root: Node,
  signal: AbortSignal,
): Promise<boolean> {
  switch (root.type) {
    case "directory":
      return (await directories.get(root.digest, { signal })) !== undefined;
    case "file":
      return blobs.has(root.digest, { signal });
    case "symlink":
      return true;
  }
}

function rootNode(message: ProtoNode): Node {
  try {
    return anonymousNodeFromProto(message);
  } catch (cause) {
    if (!isCodedError(cause)) throw cause;
    const text = `invalid root node: ${cause.message}`;
    throw new ConnectError(text, Code.InvalidArgument, undefined, undefined, cause);
  }
}
