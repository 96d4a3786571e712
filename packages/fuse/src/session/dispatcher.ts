import { ERRNO, type Errno } from "../errno.js";
import type { FileSystem, Result } from "../file-system.js";
import type { RequestBody } from "../protocol/body.js";
import { type Exchange, MUST_NOT_WAIT } from "./exchange.js";
import type { Operation, OperationRunner } from "./operation.js";
import type { RequestsUnderWay } from "./requests-under-way.js";

/** Takes requests to a file system and its results back. The only place where what it throws becomes an errno. */
export class Dispatcher implements OperationRunner {
  readonly #fileSystem: FileSystem;
  readonly #underWay: RequestsUnderWay;

  constructor(fileSystem: FileSystem, underWay: RequestsUnderWay) {
    this.#fileSystem = fileSystem;
    this.#underWay = underWay;
  }

  run<Input, Output>(
    operation: Operation<Input, Output>,
    exchange: Exchange,
    body: RequestBody,
  ): void {
    const input = operation.decode(body);
    if (typeof input === "number") {
      exchange.fail(input);
    } else if (exchange.bodyCapacity < operation.replySize || this.#underWay.has(exchange)) {
      exchange.fail(ERRNO.EINVAL);
    } else {
      this.#start(operation, exchange, input);
    }
  }

  /** Where too much is under way, which may hang, what is at hand is answered all the same. */
  #start<Input, Output>(
    operation: Operation<Input, Output>,
    exchange: Exchange,
    input: Input,
  ): void {
    let result: Result<Output>;
    try {
      result = this.#underWay.isFull
        ? exchange.atOnce(() => operation.call(this.#fileSystem, exchange, input))
        : operation.call(this.#fileSystem, exchange, input);
    } catch (error) {
      this.#fail(operation, exchange, input, error);
      return;
    }
    if (result instanceof Promise) {
      this.#underWay.track(
        exchange,
        operation.weigh?.(input) ?? 0,
        result,
        (output) => finish(operation, exchange, input, output),
        (error) => this.#fail(operation, exchange, input, error),
      );
    } else {
      finish(operation, exchange, input, result);
    }
  }

  #fail<Input, Output>(
    operation: Operation<Input, Output>,
    exchange: Exchange,
    input: Input,
    error: unknown,
  ): void {
    if (error !== MUST_NOT_WAIT || exchange.interrupted) exchange.failWith(error);
    else this.#underWay.wait(exchange, () => this.#start(operation, exchange, input));
  }
}

function finish<Input, Output>(
  operation: Operation<Input, Output>,
  exchange: Exchange,
  input: Input,
  result: Output | Errno,
): void {
  try {
    if (typeof result !== "number") {
      operation.reply(exchange, result, input);
      return;
    }
    const instead = operation.instead?.(result, exchange);
    if (instead === undefined) exchange.fail(result);
    else operation.reply(exchange, instead, input);
  } catch (error) {
    exchange.failWith(error);
  }
}
