import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ERRNO, type Errno } from "../errno.js";
import type { Caller, Entry, Result } from "../file-system.js";
import { OPCODE } from "../protocol/opcodes.js";
import type { FakeKernel } from "../testing/fake-kernel.js";
import { cString, layout, readBody, u32, u64 } from "../testing/message.js";
import { openSession } from "../testing/open-session.js";
import { listed, TinyFileSystem } from "../testing/tiny-file-system.js";

const NAMES = Array.from({ length: 40 }, (_, i) => "name".repeat(1 + (i % 9)) + i);

/** Half of its lookups take their time, and end early when they are aborted; listings may fail half way. */
class HesitantFileSystem extends TinyFileSystem {
  #turn = 0;

  constructor() {
    super(NAMES);
    const whole = this.readdir;
    this.readdir = (nodeId, handle, offset, sink, caller) => {
      whole(nodeId, handle, offset, sink, caller);
      this.#turn++;
      if (this.#turn % 4 === 0) throw new Error("broken");
      return this.#turn % 4 === 1 ? Promise.resolve(ERRNO.EIO) : undefined;
    };
  }

  override lookup(parent: number, name: Uint8Array, caller?: Caller): Result<Entry> {
    this.#turn++;
    if (this.#turn % 2 === 0) return super.lookup(parent, name);
    return this.#lookupLater(parent, name, caller);
  }

  async #lookupLater(
    parent: number,
    name: Uint8Array,
    caller: Caller | undefined,
  ): Promise<Entry | Errno> {
    for (let i = 0; i < 5; i++) await Promise.resolve();
    caller?.signal.throwIfAborted();
    return super.lookup(parent, name);
  }
}

/** What a kernel remembers of the node ids that it was told. */
class Memory {
  readonly counts = new Map<number, number>();

  add(nodeId: number): void {
    if (nodeId !== 0) this.counts.set(nodeId, (this.counts.get(nodeId) ?? 0) + 1);
  }

  /** Forgets all, in one message. */
  async forgetAll(kernel: FakeKernel): Promise<void> {
    const items = [...this.counts].map(([nodeId, count]) => layout(u64(nodeId), u64(count)));
    this.counts.clear();
    const body = layout(u32(items.length), u32(0), ...items);
    await kernel.tell(OPCODE.BATCH_FORGET, body, { nodeId: 0 });
  }
}

type Action = (kernel: FakeKernel, memory: Memory) => Promise<void>;

function nodeIdOf(entry: Uint8Array): number {
  return new DataView(entry.buffer, entry.byteOffset).getUint32(0, true);
}

const lookup: fc.Arbitrary<Action> = fc
  .record({ name: fc.constantFrom(...NAMES, "absent"), capacity: fc.constantFrom(143, 144, 9999) })
  .map(({ name, capacity }) => async (kernel, memory) => {
    const reply = await kernel.call(OPCODE.LOOKUP, cString(name), { capacity });
    if (reply.errno === 0) memory.add(nodeIdOf(reply.body));
  });

const interruptedLookup: fc.Arbitrary<Action> = fc
  .record({ name: fc.constantFrom(...NAMES), ticks: fc.nat({ max: 8 }) })
  .map(({ name, ticks }) => async (kernel, memory) => {
    const call = kernel.call(OPCODE.LOOKUP, cString(name));
    const unique = kernel.lastUnique;
    for (let i = 0; i < ticks; i++) await Promise.resolve();
    await kernel.tell(OPCODE.INTERRUPT, u64(unique), { nodeId: 0 });
    const reply = await call;
    if (reply.errno === 0) memory.add(nodeIdOf(reply.body));
  });

const listing: fc.Arbitrary<Action> = fc
  .record({
    size: fc.nat({ max: 3000 }),
    offset: fc.nat({ max: 45 }),
    capacity: fc.constantFrom(16, 500, 9999),
  })
  .map(({ size, offset, capacity }) => async (kernel, memory) => {
    const reply = await kernel.call(OPCODE.READDIRPLUS, readBody(size, offset), { capacity });
    if (reply.errno === 0) for (const { nodeId } of listed(reply.body, true)) memory.add(nodeId);
  });

const forgetting: fc.Arbitrary<Action> = fc.constant((kernel, memory) => memory.forgetAll(kernel));

describe("lookups", () => {
  it("are counted exactly as the kernel was told", async () => {
    const actions = fc.array(fc.oneof(lookup, interruptedLookup, listing, forgetting), {
      maxLength: 40,
    });
    await fc.assert(
      fc.asyncProperty(actions, fc.boolean(), async (chosen, atOnce) => {
        const fileSystem = new HesitantFileSystem();
        const { kernel } = await openSession(fileSystem, { interruptGraceMs: 0, maxInFlight: 3 });
        const memory = new Memory();
        if (atOnce) await Promise.all(chosen.map((action) => action(kernel, memory)));
        else for (const action of chosen) await action(kernel, memory);
        expect(fileSystem.lookups).toEqual(memory.counts);
        await memory.forgetAll(kernel);
        expect([...fileSystem.lookups]).toEqual([]);
      }),
      { seed: 51, numRuns: 500 },
    );
  });
});
