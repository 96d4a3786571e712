import type { ConnectRouter } from "@connectrpc/connect";
import { HealthService, registerReflection } from "@tvix/grpc";
import type { Life } from "../life/life.js";

/**
 * Registers health and reflection for everything that `router` has so far, which must be all that is to
 * be seen.
 */
export function registerProbes(router: ConnectRouter, life: Life): void {
  const services = [...new Set(router.handlers.map(({ service }) => service))];
  const health = new HealthService();
  const tell = (): void => {
    // The empty name is the server as a whole.
    for (const name of ["", ...services.map(({ typeName }) => typeName)]) {
      health.set(name, life.isServing);
    }
  };
  tell();
  life.onChange(tell);
  health.register(router);
  registerReflection(router, services);
}
