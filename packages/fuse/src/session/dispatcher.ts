import { ERRNO, type Errno } from "../errno.js";
import type { FileSystem, Result } from "../file-system.js";
import type { RequestBody } from "../protocol/body.js";
import type { Exchange } from "./exchange.js";
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
    } else if (this.#underWay.isFull) {
      this.#underWay.wait(exchange, () => this.#start(operation, exchange, input));
    } else {
      this.#start(operation, exchange, input);
    }
  }

  #start<Input, Output>(
    operation: Operation<Input, Output>,
    exchange: Exchange,
    input: Input,
  ): void {
    let result: Result<Output>;
    try {
      result = operation.call(this.#fileSystem, exchange, input);
    } catch (error) {
      exchange.failWith(error);
      return;
    }
    if (result instanceof Promise) {
      this.#underWay.track(
        exchange,
        operation.weigh?.(input) ?? 0,
        result,
        (output) => finish(operation, exchange, input, output),
        (error) => exchange.failWith(error),
      );
    } else {
      finish(operation, exchange, input, result);
    }
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
