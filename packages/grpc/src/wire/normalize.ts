import { create, type DescMessage, isMessage, type Message } from "@bufbuild/protobuf";

/** The message that `message`, or its init shape, stands for. */
export function normalize(schema: DescMessage, message: unknown): Message {
  return isMessage(message, schema) ? message : create(schema, message as never);
}

/** Interceptors see whole messages, as connect shows them. `return()` reaches the source. */
export function normalizeAll(
  schema: DescMessage,
  messages: AsyncIterable<unknown>,
): AsyncIterable<Message> {
  const source = messages[Symbol.asyncIterator]();
  const iterator: AsyncIterableIterator<Message> = {
    async next() {
      const result = await source.next();
      return result.done ? result : { done: false, value: normalize(schema, result.value) };
    },
    async return() {
      await source.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => iterator,
  };
  return iterator;
}
