import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { Health, HealthCheckResponse_ServingStatus as ServingStatus } from "@tvix/protos/grpc";

/** Name of the server as a whole. */
const WHOLE_SERVER = "";

/**
 * `grpc.health.v1.Health`: tells per service, and for the server as a whole (the empty name), whether it
 * serves. The server as a whole serves from the start; other services are known once they are set.
 */
export class HealthService {
  readonly #serving = new Map<string, boolean>([[WHOLE_SERVER, true]]);
  /** Wakes those who watch. */
  readonly #watchers = new Set<() => void>();

  /** Whether `service` serves from now on. */
  set(service: string, serving: boolean): void {
    this.#serving.set(service, serving);
    this.#wakeAll();
  }

  /** Sets all known services and the server as a whole, as at the beginning of a shutdown. */
  setAll(serving: boolean): void {
    for (const service of this.#serving.keys()) {
      this.#serving.set(service, serving);
    }
    this.#wakeAll();
  }

  /** Adds the service to a router. */
  register(router: ConnectRouter): void {
    router.service(Health, {
      check: ({ service }) => {
        const status = this.#status(service);
        if (status === ServingStatus.SERVICE_UNKNOWN) {
          throw new ConnectError(`there is no service ${service}`, Code.NotFound);
        }
        return { status };
      },
      watch: ({ service }, { signal }) => this.#watch(service, signal),
    });
  }

  /** The status now and after each change, until the client leaves. */
  async *#watch(service: string, signal: AbortSignal) {
    let sent: ServingStatus | undefined;
    while (!signal.aborted) {
      const status = this.#status(service);
      if (status === sent) {
        await this.#change(signal);
      } else {
        sent = status;
        yield { status };
      }
    }
  }

  /** Resolves at the next change of any service, or when the signal fires. */
  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#watchers.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      this.#watchers.add(wake);
      signal.addEventListener("abort", wake);
    });
  }

  #status(service: string): ServingStatus {
    switch (this.#serving.get(service)) {
      case true:
        return ServingStatus.SERVING;
      case false:
        return ServingStatus.NOT_SERVING;
      case undefined:
        return ServingStatus.SERVICE_UNKNOWN;
    }
  }

  #wakeAll(): void {
    for (const wake of [...this.#watchers]) {
      wake();
    }
  }
}
