import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OPCODE } from "../protocol/opcodes.js";
import {
  cString,
  layout,
  parseReply,
  readBody,
  requestMessage,
  u32,
  u64,
} from "../testing/message.js";
import { type OpenSession, openSession } from "../testing/open-session.js";
import { SuspiciousFileSystem } from "../testing/suspicious-file-system.js";

const HANDLE = layout(u64(1), new Uint8Array(16));
const XATTR = layout(u32(64), u32(0));

/** A valid body of every kind of request that has one of its own. */
const BODIES: Readonly<Record<string, Uint8Array>> = {
  LOOKUP: cString("a"),
  FORGET: u64(1),
  GETATTR: new Uint8Array(16),
  READLINK: new Uint8Array(),
  OPEN: new Uint8Array(8),
  READ: readBody(100),
  STATFS: new Uint8Array(),
  RELEASE: HANDLE,
  GETXATTR: layout(XATTR, cString("user.a")),
  LISTXATTR: XATTR,
  INIT: layout(u32(7), u32(40), u32(0), u32(0x73ff_fffb), new Uint8Array(48)),
  OPENDIR: new Uint8Array(8),
  READDIR: readBody(500),
  RELEASEDIR: HANDLE,
  ACCESS: layout(u32(4), u32(0)),
  INTERRUPT: u64(2),
  DESTROY: new Uint8Array(),
  BATCH_FORGET: layout(u32(2), u32(0), u64(2), u64(1), u64(3), u64(1)),
  READDIRPLUS: readBody(900),
  LSEEK: layout(u64(1), u64(0), u32(3), u32(0)),
};

const NASTY = [0, 1, 2, 7, 39, 40, 255, 256, 0x7fff_ffff, 0x8000_0000, 0xffff_fff0, 0xffff_ffff];

type Change = (bytes: Uint8Array) => Uint8Array;

const place = fc.nat({ max: 120 });

/** Something that is done to a valid message. */
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.tuple(place, fc.integer({ min: 1, max: 255 })).map(
    ([at, bits]): Change =>
      (bytes) => {
        const index = at % Math.max(1, bytes.length);
        return bytes.map((byte, i) => (i === index ? byte ^ bits : byte));
      },
  ),
  fc.tuple(place, fc.constantFrom(...NASTY)).map(
    ([at, value]): Change =>
      (bytes) => {
        const changed = Uint8Array.from(bytes);
        const index = (at % Math.max(1, bytes.length)) & ~3;
        changed.set(u32(value).subarray(0, bytes.length - index), index);
        return changed;
      },
  ),
  place.map(
    (length): Change =>
      (bytes) =>
        bytes.subarray(0, length % (bytes.length + 1)),
  ),
  fc.uint8Array({ maxLength: 40 }).map(
    (more): Change =>
      (bytes) =>
        layout(bytes, more),
  ),
);

/** Says the true length, so that what lies behind that check is reached. */
function withTrueLength(bytes: Uint8Array): Uint8Array {
  return bytes.length < 4 ? bytes : layout(u32(bytes.length), bytes.subarray(4));
}

const mutated: fc.Arbitrary<Uint8Array> = fc
  .record({
    name: fc.constantFrom(...(Object.keys(OPCODE) as (keyof typeof OPCODE)[])),
    nodeId: fc.constantFrom(0, 1, 2, 3, 99),
    unique: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    changes: fc.array(change, { maxLength: 3 }),
    isTrueLength: fc.boolean(),
  })
  .map(({ name, nodeId, unique, changes, isTrueLength }) => {
    const body = BODIES[name] ?? new Uint8Array(24);
    const valid = requestMessage({ opcode: OPCODE[name], nodeId, unique, body });
    const bytes = changes.reduce((changed, apply) => apply(changed), valid);
    return isTrueLength ? withTrueLength(bytes) : bytes;
  });

const capacity = fc.oneof(
  fc.constant(1 << 20),
  fc.constantFrom(0, 15, 16, 17, 79, 80, 119, 120, 143, 144, 200),
);

const UNANSWERED: readonly number[] = [
  OPCODE.FORGET,
  OPCODE.BATCH_FORGET,
  OPCODE.INTERRUPT,
  OPCODE.NOTIFY_REPLY,
];

/** An answer has its length, repeats the unique id, and is a result or an errno alone. */
function expectAnswer(message: Uint8Array, room: number, answer: Uint8Array): void {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const isUnanswered = message.length < 40 || UNANSWERED.includes(view.getUint32(4, true));
  if (isUnanswered || room < 16) {
    expect(answer.length).toBe(0);
    return;
  }
  expect(answer.length).toBeGreaterThanOrEqual(16);
  expect(answer.length).toBeLessThanOrEqual(room);
  const reply = parseReply(answer);
  expect(reply.length).toBe(answer.length);
  expect(reply.unique).toBe(view.getBigUint64(8, true));
  expect(reply.errno).toBeGreaterThanOrEqual(0);
  expect(reply.errno).toBeLessThanOrEqual(4095);
  if (reply.errno !== 0) expect(answer.length).toBe(16);
}

async function connect(): Promise<OpenSession & { readonly fileSystem: SuspiciousFileSystem }> {
  const fileSystem = new SuspiciousFileSystem();
  return { ...(await openSession(fileSystem, { interruptGraceMs: 0 })), fileSystem };
}

describe("a hostile kernel", () => {
  it("gets an answer to each request that it damages", async () => {
    const { channel, kernel, session, fileSystem } = await connect();
    await fc.assert(
      fc.asyncProperty(mutated, capacity, async (message, room) => {
        expectAnswer(message, room, await channel.send(message, room));
        await kernel.init();
      }),
      { seed: 31, numRuns: 6_000 },
    );
    await session.close();
    expect(fileSystem.suspicions).toEqual([]);
    expect(channel.answersTooMany).toBe(0);
  });

  it("gets an answer to random bytes", async () => {
    const { channel, session, fileSystem } = await connect();
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 120 }).map(withTrueLength),
        capacity,
        async (message, room) => {
          expectAnswer(message, room, await channel.send(message, room));
        },
      ),
      { seed: 32, numRuns: 2_000 },
    );
    await session.close();
    expect(fileSystem.suspicions).toEqual([]);
    expect(channel.answersTooMany).toBe(0);
  });

  it("gets one answer to each of many requests at once, and the session ends", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(mutated, { maxLength: 60 }), async (messages) => {
        const { channel, session, served, fileSystem } = await connect();
        const room = 1 << 20;
        const answers = messages.map((message) => channel.send(message, room));
        const closed = session.close();
        for (const [i, message] of messages.entries()) {
          expectAnswer(message, room, (await answers[i]) ?? new Uint8Array());
        }
        await Promise.all([closed, served]);
        expect(fileSystem.suspicions).toEqual([]);
        expect(channel.answersTooMany).toBe(0);
      }),
      { seed: 33, numRuns: 300 },
    );
  });
});
