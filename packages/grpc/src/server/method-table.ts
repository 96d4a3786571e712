import type { DescMethod, DescService } from "@bufbuild/protobuf";
import {
  type ConnectRouter,
  createConnectRouter,
  createMethodImplSpec,
  createServiceImplSpec,
  type Interceptor,
  type MethodImpl,
  type MethodImplSpec,
} from "@connectrpc/connect";

type RouteOptions = Parameters<ConnectRouter["rpc"]>[2];

/** A method that is served, and what it may be served with. */
export interface MethodEntry {
  readonly spec: MethodImplSpec;
  readonly path: string;
  readonly interceptors: readonly Interceptor[];
}

/** The methods of all services, by path. */
export interface MethodTable {
  readonly methods: ReadonlyMap<string, MethodEntry>;
  /** Registers the same routes with another router. */
  readonly routes: (router: ConnectRouter) => void;
}

/**
 * Runs `routes` once and keeps what it registers, so that the same implementations can be served by our
 * framing and by connect-node. Options of a route are honoured: its interceptors by both, `grpc: false`
 * takes it out of the table.
 */
export function collectMethods(
  routes: (router: ConnectRouter) => void,
  interceptors: readonly Interceptor[],
): MethodTable {
  const methods = new Map<string, MethodEntry>();
  const replay: ((router: ConnectRouter) => void)[] = [];
  const add = (spec: MethodImplSpec, options: RouteOptions): void => {
    if (options !== undefined && "grpc" in options && options.grpc === false) {
      return;
    }
    const path = methodPath(spec.method);
    methods.set(path, { spec, path, interceptors: options?.interceptors ?? interceptors });
  };
  const recorder: ConnectRouter = {
    handlers: createConnectRouter().handlers,
    service(service: DescService, implementation, options) {
      const spec = createServiceImplSpec(service, implementation);
      for (const method of Object.values(spec.methods)) {
        add(method, options);
      }
      replay.push((router) => router.service(service, implementation, options));
      return recorder;
    },
    rpc<M extends DescMethod>(method: M, implementation: MethodImpl<M>, options?: RouteOptions) {
      add(createMethodImplSpec(method, implementation), options);
      replay.push((router) => router.rpc(method, implementation, options));
      return recorder;
    },
  };
  routes(recorder);
  return {
    methods,
    routes: (router) => {
      for (const register of replay) {
        register(router);
      }
    },
  };
}

/** `/package.Service/Method`. */
function methodPath(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}
