import { BackendRegistry } from "../registry/backend-registry.js";
import { registerCache } from "./cache.js";
import { registerGrpc } from "./grpc.js";
import { registerLocal } from "./local.js";
import { registerMemory } from "./memory.js";
import { registerNix } from "./nix.js";
import { registerPathInfos } from "./path-infos.js";
import { registerSeveral } from "./several.js";
import { registerWrapped } from "./wrapped.js";

/** A new registry with the backends of tvix, to which others can be added. */
export function defaultRegistry(): BackendRegistry {
  const registry = new BackendRegistry();
  registerMemory(registry);
  registerLocal(registry);
  registerGrpc(registry);
  registerNix(registry);
  registerCache(registry);
  registerSeveral(registry);
  registerWrapped(registry);
  registerPathInfos(registry);
  return registry;
}
