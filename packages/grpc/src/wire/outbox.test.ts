import { describe, expect, it } from "vitest";
import type { EncodedMessage } from "./frame.js";
import { Outbox, type WritableEnd } from "./outbox.js";

const KIB = 1024;

/** A stream whose peer takes bytes when told to. */
class SlowStream implements WritableEnd {
  readonly calls: string[] = [];
  readonly #callbacks: (() => void)[] = [];

  write(bytes: Uint8Array, callback?: () => void): void {
    this.calls.push(`write ${bytes.byteLength}`);
    if (callback !== undefined) this.#callbacks.push(callback);
  }

  end(bytes?: Uint8Array): void {
    this.calls.push(`end ${bytes?.byteLength}`);
  }

  cork(): void {
    this.calls.push("cork");
  }

  uncork(): void {
    this.calls.push("uncork");
  }

  /** The peer takes the oldest message. */
  takeOne(): void {
    this.#callbacks.shift()?.();
  }
}

function message(...lengths: number[]): EncodedMessage {
  const [first = 0, ...others] = lengths;
  return [Buffer.alloc(first), ...others.map((length) => new Uint8Array(length))];
}

describe("Outbox", () => {
  it("writes a message of several parts in one piece", () => {
    const stream = new SlowStream();
    const outbox = new Outbox(stream);
    outbox.write(message(3));
    outbox.write(message(3, 4, 5));
    outbox.end(message(1, 2));
    expect(stream.calls).toEqual([
      "write 3",
      ...["cork", "write 3", "write 4", "write 5", "uncork"],
      ...["cork", "write 1", "end 2", "uncork"],
    ]);
  });

  it("has room for a second message of a MiB while the first is on its way, not for a third", async () => {
    const stream = new SlowStream();
    const outbox = new Outbox(stream);
    outbox.write(message(5, 1024 * KIB));
    expect(outbox.hasRoom).toBe(true);
    outbox.write(message(5, 1024 * KIB));
    expect(outbox.hasRoom).toBe(false);
    const drained = outbox.drained();
    expect(outbox.waiting).toBe(true);
    stream.takeOne();
    await drained;
    expect(outbox).toMatchObject({ waiting: false, hasRoom: true });
  });

  it("goes on waiting while more than that is unsent", () => {
    const stream = new SlowStream();
    const outbox = new Outbox(stream);
    for (let i = 0; i < 4; i++) outbox.write(message(1024 * KIB));
    void outbox.drained();
    stream.takeOne();
    stream.takeOne();
    expect(outbox.waiting).toBe(true);
    stream.takeOne();
    expect(outbox.waiting).toBe(false);
  });

  it("is woken from outside", async () => {
    const outbox = new Outbox(new SlowStream());
    const drained = outbox.drained();
    outbox.wake();
    await drained;
    outbox.wake();
    expect(outbox.waiting).toBe(false);
  });
});
