import type { ConnectRouter } from "@connectrpc/connect";
import { HealthService, registerReflection } from "@tvix/grpc";
import type { Life } from "../life/life.js";

type Service = Parameters<ConnectRouter["service"]>[0];

/** Registers what `register` does, and health and reflection for all of it. */
export function registerWithProbes(
  router: ConnectRouter,
  life: Life,
  register: (router: ConnectRouter) => void,
): void {
  const services: Service[] = [];
  const noting = notingRouter(router, services);
  register(noting);
  const health = new HealthService();
  for (const { typeName } of services) health.set(typeName, life.isServing);
  health.setAll(life.isServing);
  life.onChange(() => health.setAll(life.isServing));
  health.register(noting);
  registerReflection(router, services);
}

/** Hands everything on to `router` and notes which services that were. */
function notingRouter(router: ConnectRouter, services: Service[]): ConnectRouter {
  const noting: ConnectRouter = {
    handlers: router.handlers,
    service: (service, ...rest) => {
      services.push(service);
      router.service(service, ...rest);
      return noting;
    },
    rpc: (method, ...rest) => {
      router.rpc(method, ...rest);
      return noting;
    },
  };
  return noting;
}
