import { describe, expect, it } from "vitest";
import { ERRNO } from "../errno.js";
import { OPCODE } from "../protocol/opcodes.js";
import { FakeKernel } from "../testing/fake-kernel.js";
import { MemoryChannel } from "../testing/memory-channel.js";
import { cString, layout, u32, u64 } from "../testing/message.js";
import { TinyFileSystem } from "../testing/tiny-file-system.js";
import { Session } from "./session.js";

describe("Session", () => {
  it("answers lookups after INIT", async () => {
    const channel = new MemoryChannel();
    const kernel = new FakeKernel(channel);
    const fileSystem = new TinyFileSystem();
    const session = new Session(channel, fileSystem);
    const served = session.serve();
    expect((await kernel.call(OPCODE.LOOKUP, cString("a"))).errno).toBe(ERRNO.EIO);
    expect((await kernel.init()).errno).toBe(0);
    expect((await kernel.call(OPCODE.LOOKUP, cString("a"))).body.byteLength).toBe(128);
    expect((await kernel.call(OPCODE.LOOKUP, cString("zz"))).errno).toBe(ERRNO.ENOENT);
    const read = layout(u64(0), u64(1), u32(3), new Uint8Array(20));
    expect((await kernel.call(OPCODE.READ, read, { nodeId: 2 })).body).toEqual(
      new TextEncoder().encode("ell"),
    );
    channel.hangUp();
    await served;
    expect(fileSystem.destroyed).toBe(1);
  });
});
