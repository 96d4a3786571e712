/** Services whose behaviour the request chooses, for tests of the framing. */

import { setTimeout as delay } from "node:timers/promises";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { BlobService, DirectoryService, StatBlobRequestSchema } from "@tvix/protos/castore";
import { ServerReflection } from "@tvix/protos/grpc";
import type { EventLog } from "./event-log.js";

/** What Stat does, by the first byte of the digest. */
export const STAT = { echo: 0, notFound: 1, crash: 2, hang: 3, metadata: 4, tooLarge: 5 } as const;

/** What Read does, by the first byte of the digest. */
export const READ = { three: 0, endless: 1, failAfterTwo: 2, silent: 3, none: 4 } as const;

/** What Put does, by the header `x-mode`. */
type PutMode = "count" | "early" | "hold" | "fail";

/** A digest that chooses a behaviour. */
export function digest(behaviour: number): Uint8Array {
  return new Uint8Array(32).fill(7, 1).fill(behaviour, 0, 1);
}

/** Size of the messages of Read. */
export const CHUNK_SIZE = 300_000;

/** Registers the services. What the handlers see and free is written to `log`. */
export function testRoutes(log: EventLog): (router: ConnectRouter) => void {
  return (router) => {
    router.service(BlobService, {
      async stat(request, context) {
        switch (request.digest[0]) {
          case STAT.notFound:
            throw new ConnectError("blöb 100% gone\n", Code.NotFound, { "x-why": "test" }, [
              { desc: StatBlobRequestSchema, value: { digest: request.digest } },
            ]);
          case STAT.crash:
            throw new Error("secret");
          case STAT.hang:
            log.add("stat begins");
            await delay(600_000, undefined, { signal: context.signal }).catch(() => {});
            log.add("stat aborted");
            throw context.signal.reason;
          case STAT.metadata:
            for (const name of ["x-text", "x-data-bin"]) {
              const value = context.requestHeader.get(name) ?? "absent";
              context.responseHeader.set(name, value);
              context.responseTrailer.set(name, value);
            }
            return {};
          case STAT.tooLarge:
            return { chunks: [{ digest: new Uint8Array((4 << 20) + 1) }] };
          default:
            return { chunks: [{ digest: request.digest, size: 5n }] };
        }
      },
      async *read(request, context) {
        const data = new Uint8Array(CHUNK_SIZE).fill(1);
        context.responseHeader.set("x-kind", "read");
        context.responseTrailer.set("x-end", "read");
        try {
          switch (request.digest[0]) {
            case READ.endless:
              for (;;) {
                log.add("read yields");
                yield { data };
              }
            case READ.failAfterTwo:
              yield { data };
              yield { data };
              throw new ConnectError("disk on fire", Code.DataLoss);
            case READ.silent:
              yield { data };
              await delay(600_000, undefined, { signal: context.signal });
              return;
            case READ.none:
              return;
            default:
              yield { data };
              yield { data };
              yield { data };
          }
        } finally {
          log.add("read finally");
        }
      },
      async put(requests, context) {
        const mode = context.requestHeader.get("x-mode") as PutMode | null;
        context.signal.addEventListener("abort", () => log.add("put signal"));
        let size = 0;
        try {
          if (mode === "hold") {
            log.add("put holds");
            await delay(600_000, undefined, { signal: context.signal }).catch(() => {});
            throw context.signal.reason;
          }
          for await (const { data } of requests) {
            size += data.byteLength;
            log.add("put message");
            if (mode === "early") {
              break;
            }
            if (mode === "fail") {
              throw new ConnectError("no room", Code.ResourceExhausted);
            }
          }
        } catch (error) {
          log.add(`put fails ${ConnectError.from(error).code}`);
          throw error;
        } finally {
          log.add("put finally");
        }
        return { digest: new TextEncoder().encode(String(size)) };
      },
    });
    router.service(DirectoryService, {
      // biome-ignore lint/correctness/useYield: a stream that fails before its first message
      async *get() {
        throw new ConnectError("there is no such directory", Code.NotFound);
      },
    });
    router.service(ServerReflection, {
      async *serverReflectionInfo(requests) {
        try {
          for await (const originalRequest of requests) {
            yield { originalRequest, validHost: originalRequest.host.toUpperCase() };
          }
        } finally {
          log.add("chat finally");
        }
      },
    });
  };
}
