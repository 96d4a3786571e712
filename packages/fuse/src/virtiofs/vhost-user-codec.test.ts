import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeHeader,
  decodeRequest,
  encodeNumberReply,
  encodeStateReply,
  requestName,
} from "./vhost-user-codec.js";
import { REQUEST } from "./vhost-user-protocol.js";
import { VirtiofsError } from "./virtiofs-error.js";

/** Numbers of 32 bits, and of 64 where they are big ones. */
function bytesOf(...numbers: readonly (number | bigint)[]): Uint8Array {
  const parts = numbers.map((number) => {
    const part = new DataView(new ArrayBuffer(typeof number === "bigint" ? 8 : 4));
    if (typeof number === "bigint") part.setBigUint64(0, number, true);
    else part.setUint32(0, number, true);
    return [...new Uint8Array(part.buffer)];
  });
  return Uint8Array.from(parts.flat());
}

describe("decodeHeader()", () => {
  it("reads request, flags and length", () => {
    expect(decodeHeader(bytesOf(5, 1, 8))).toEqual({
      request: 5,
      needsReply: false,
      payloadLength: 8,
    });
    expect(decodeHeader(bytesOf(99, 9, 0)).needsReply).toBe(true);
  });

  it.each([
    ["another version", bytesOf(1, 2, 0), "version 2"],
    ["no version", bytesOf(1, 0, 0), "version 0"],
    ["an answer", bytesOf(1, 5, 0), "it is an answer"],
    ["a payload that is too long", bytesOf(1, 1, 265), "265 bytes of payload"],
    ["the longest payload", bytesOf(1, 1, 2 ** 32 - 1), "4294967295 bytes"],
  ])("refuses %s", (_, bytes, message) => {
    expect(() => decodeHeader(bytes)).toThrow(message);
    expect(() => decodeHeader(bytes)).toThrow(VirtiofsError);
  });
});

describe("decodeRequest()", () => {
  it.each([
    ["GET_FEATURES", REQUEST.GET_FEATURES, bytesOf(), { kind: "plain" }],
    ["GET_QUEUE_NUM with a number", REQUEST.GET_QUEUE_NUM, bytesOf(0n), { kind: "plain" }],
    [
      "SET_FEATURES",
      REQUEST.SET_FEATURES,
      bytesOf(2n ** 32n),
      { kind: "features", features: 2n ** 32n },
    ],
    [
      "SET_VRING_NUM",
      REQUEST.SET_VRING_NUM,
      bytesOf(1, 64),
      { kind: "state", queue: 1, value: 64 },
    ],
    [
      "SET_VRING_KICK",
      REQUEST.SET_VRING_KICK,
      bytesOf(3n),
      { kind: "file", queue: 3, hasFile: true },
    ],
    [
      "SET_VRING_CALL without a file",
      REQUEST.SET_VRING_CALL,
      bytesOf(0x102n),
      { kind: "file", queue: 2, hasFile: false },
    ],
    [
      "SET_VRING_ADDR",
      REQUEST.SET_VRING_ADDR,
      bytesOf(1, 0, 16n, 4n, 2n, 0n),
      { kind: "addresses", queue: 1, flags: 0, descriptors: 16n, used: 4n, available: 2n },
    ],
    [
      "ADD_MEM_REG",
      REQUEST.ADD_MEM_REG,
      bytesOf(0n, 1n, 2n, 3n, 4n),
      {
        kind: "regions",
        regions: [{ guestAddress: 1n, size: 2n, userAddress: 3n, fileOffset: 4n }],
      },
    ],
    [
      "SET_MEM_TABLE",
      REQUEST.SET_MEM_TABLE,
      bytesOf(2, 0, 1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n),
      {
        kind: "regions",
        regions: [
          { guestAddress: 1n, size: 2n, userAddress: 3n, fileOffset: 4n },
          { guestAddress: 5n, size: 6n, userAddress: 7n, fileOffset: 8n },
        ],
      },
    ],
  ])("reads %s", (_, request, payload, expected) => {
    expect(decodeRequest(request, payload)).toEqual(expected);
  });

  it("takes a table that is sent whole", () => {
    const payload = new Uint8Array(8 + 8 * 32);
    payload[0] = 1;
    expect(decodeRequest(REQUEST.SET_MEM_TABLE, payload)).toMatchObject({
      regions: [{ size: 0n }],
    });
  });

  it.each([
    ["a state that is too short", REQUEST.SET_VRING_NUM, bytesOf(1), "4 bytes of payload, not 8"],
    [
      "a number that is too long",
      REQUEST.SET_FEATURES,
      bytesOf(1n, 1),
      "12 bytes of payload, not 8",
    ],
    ["too many regions", REQUEST.SET_MEM_TABLE, bytesOf(9, 0), "9 regions"],
    [
      "a table that is cut",
      REQUEST.SET_MEM_TABLE,
      bytesOf(1, 0, 0n),
      "16 bytes of payload, not 40",
    ],
    ["no table", REQUEST.SET_MEM_TABLE, bytesOf(), "0 bytes of payload, not 8"],
    ["addresses that are cut", REQUEST.SET_VRING_ADDR, bytesOf(1, 0, 0n), "not 40"],
  ])("refuses %s", (_, request, payload, message) => {
    expect(() => decodeRequest(request, payload)).toThrow(message);
  });

  it.each([0, 6, 7, 19, 24, 31, 32, 39, 2 ** 32 - 1])("does not know request %i", (request) => {
    expect(decodeRequest(request, new Uint8Array(8))).toBeUndefined();
    expect(requestName(request)).toBe(`request ${request}`);
  });

  it("throws nothing but its own error, whatever comes", () => {
    fc.assert(
      fc.property(fc.nat(40), fc.uint8Array({ maxLength: 264 }), (request, payload) => {
        try {
          decodeRequest(request, payload);
        } catch (error) {
          expect(error).toBeInstanceOf(VirtiofsError);
        }
      }),
      { seed: 11, numRuns: 3000 },
    );
  });
});

describe("encodeNumberReply()", () => {
  it("answers with a number", () => {
    expect(encodeNumberReply(17, 2n)).toEqual(bytesOf(17, 5, 8, 2n));
  });
});

describe("encodeStateReply()", () => {
  it("answers with queue and value", () => {
    expect(encodeStateReply(11, 1, 65535)).toEqual(bytesOf(11, 5, 8, 1, 65535));
  });
});
