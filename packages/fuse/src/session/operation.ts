import type { Errno } from "../errno.js";
import type { FileSystem, Result } from "../file-system.js";
import type { RequestBody } from "../protocol/body.js";
import type { Exchange } from "./exchange.js";

/** How a request is taken to the file system, and its result to the kernel. */
export interface Operation<Input, Output> {
  /**
   * Bytes of the body of the shortest answer. Whether they fit is asked before the file system is, so that
   * no lookup counts whose answer cannot be sent.
   */
  readonly replySize: number;
  /** Nothing of `body` is kept. */
  decode(body: RequestBody): Input | Errno;
  /** Bytes that the result may have, where that is more than a few. */
  weigh?(input: Input): number;
  call(fileSystem: FileSystem, exchange: Exchange, input: Input): Result<Output>;
  /** What is answered in place of an errno, where there is something. */
  instead?(errno: number, exchange: Exchange): Output | undefined;
  reply(exchange: Exchange, output: Output, input: Input): void;
}

/** Runs operations, each with its own types. */
export interface OperationRunner {
  run<Input, Output>(
    operation: Operation<Input, Output>,
    exchange: Exchange,
    body: RequestBody,
  ): void;
}

/** Handles the requests with one opcode. */
export type RequestStep = (runner: OperationRunner, exchange: Exchange, body: RequestBody) => void;

/** The step that runs an operation. */
export function step<Input, Output>(operation: Operation<Input, Output>): RequestStep {
  return (runner, exchange, body) => runner.run(operation, exchange, body);
}

/** The step that answers every request in the same way. */
export function refuse(errno: Errno): RequestStep {
  return (_runner, exchange) => exchange.fail(errno);
}
