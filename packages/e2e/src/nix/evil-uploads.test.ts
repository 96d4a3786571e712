import { StorePath } from "@tvix/store";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Daemon, startDaemon } from "../daemon/start-daemon.js";
import { http } from "./http-upload.js";
import {
  directoryTokens,
  fileNar,
  narLength,
  narString,
  narStrings,
  sha256Base32,
} from "./nar-tokens.js";

const DEPTH = 10_000;

const HEAD = narStrings("nix-archive-1", "(", "type", "regular", "contents");

function deep(levels: number): Buffer {
  const open = narStrings("(", "type", "directory", "entry", "(", "name", "d", "node");
  const close = narStrings(")", ")");
  const inside = narStrings("(", "type", "directory", ")");
  return Buffer.concat([
    narString("nix-archive-1"),
    ...Array.from({ length: levels }, () => open),
    inside,
    ...Array.from({ length: levels }, () => close),
  ]);
}

function names(...all: readonly (string | Uint8Array)[]): Buffer {
  return narStrings(...directoryTokens(...all));
}

function link(target: string | Uint8Array): Buffer {
  return narStrings("nix-archive-1", "(", "type", "symlink", "target", target, ")");
}

const EVIL: readonly (readonly [string, Buffer])[] = [
  ["nothing", Buffer.alloc(0)],
  ["no NAR", Buffer.from("<!doctype html>")],
  ["another version", narStrings("nix-archive-2", "(", "type", "directory", ")")],
  ["an empty name", names("")],
  ["the name .", names(".")],
  ["the name ..", names("..")],
  ["a name with a slash", names("a/b")],
  ["a name that is absolute", names("/etc/passwd")],
  ["a name that leads out", names("../../etc/passwd")],
  ["a name with NUL", names("a\0b")],
  ["a name that is too long", names("x".repeat(256))],
  ["names out of order", names("b", "a")],
  ["names in the order of UTF-16", names("\u{1f4a9}", "\uffee")],
  ["a name twice", names("a", "a")],
  ["an empty target", link("")],
  ["a target with NUL", link("a\0b")],
  ["a target that is too long", link("x".repeat(4096))],
  ["the type of a device", narStrings("nix-archive-1", "(", "type", "device", ")")],
  [
    "a directory with a target",
    narStrings("nix-archive-1", "(", "type", "directory", "target", "x", ")"),
  ],
  ["no end", fileNar(Buffer.from("x")).subarray(0, -16)],
  ["zeros behind it", Buffer.concat([fileNar(Buffer.from("x")), Buffer.alloc(8)])],
  ["another NAR behind it", Buffer.concat([fileNar(Buffer.of(1)), fileNar(Buffer.of(2))])],
  [
    "padding that is not zero",
    Buffer.concat([HEAD, narLength(1), Buffer.from("xy"), Buffer.alloc(6)]),
  ],
  ["a length of 2^64-8", Buffer.concat([HEAD, narLength(2n ** 64n - 8n), Buffer.alloc(16)])],
  ["a length of 2^63", Buffer.concat([HEAD, narLength(2n ** 63n), Buffer.alloc(16)])],
  [
    "a length of 4 GiB with 10 bytes",
    Buffer.concat([HEAD, narLength(2n ** 32n), Buffer.alloc(10)]),
  ],
  ["a token of 2^40 bytes", Buffer.concat([narLength(2n ** 40n), Buffer.alloc(16)])],
  [`a depth of ${DEPTH}`, deep(DEPTH)],
];

const STORE_PATH = StorePath.parse(`${"0".repeat(32)}-evil`);
const NARINFO = `/${STORE_PATH.baseName.slice(0, 32)}.narinfo`;

/** What is right, or with other lines in the place of some. */
function narinfoOf(nar: Uint8Array, change: Readonly<Record<string, string>> = {}): Buffer {
  const fields = {
    StorePath: String(STORE_PATH),
    URL: `nar/${sha256Base32(nar)}.nar`,
    Compression: "none",
    NarHash: `sha256:${sha256Base32(nar)}`,
    NarSize: String(nar.byteLength),
    References: "",
    ...change,
  };
  const lines = Object.entries(fields).map(([key, value]) => `${key}: ${value}\n`);
  return Buffer.from(lines.join(""));
}

describe("the daemon, given what is evil", () => {
  let daemon: Daemon;

  beforeAll(async () => {
    daemon = await startDaemon();
  });

  afterAll(async () => {
    await daemon?.[Symbol.asyncDispose]();
  });

  async function expectRefused(path: string, body: Uint8Array): Promise<void> {
    const { status, text } = await http(daemon.url, path, { method: "PUT", body });
    expect([400, 403, 404, 405, 409, 413, 415], `${path}: ${status} ${text}`).toContain(status);
    expect(text).toMatch(/^\P{Cc}+\n$/u);
  }

  async function expectNothing(nar: Uint8Array): Promise<void> {
    const url = `/nar/${sha256Base32(nar)}.nar`;
    expect(await http(daemon.url, url)).toMatchObject({ status: 404 });
    expect(await http(daemon.url, url, { method: "HEAD" })).toMatchObject({ status: 404 });
    await expectRefused(NARINFO, narinfoOf(nar));
    expect(await http(daemon.url, NARINFO)).toMatchObject({ status: 404 });
  }

  it.each(EVIL)("refuses a NAR with %s in one line", async (_, nar) => {
    await expectRefused(`/nar/${sha256Base32(nar)}.nar`, nar);
    await expectNothing(nar);
  });

  it("refuses a NAR that ends at any of its tokens", async () => {
    const tokens = directoryTokens("a", "b");
    for (let count = 1; count < tokens.length; count++) {
      const nar = narStrings(...tokens.slice(0, count));
      await expectRefused(`/nar/${sha256Base32(nar)}.nar`, nar);
      await expectNothing(nar);
    }
    const whole = narStrings(...tokens);
    const answer = await http(daemon.url, `/nar/${sha256Base32(whole)}.nar`, {
      method: "PUT",
      body: whole,
    });
    expect(answer.status).toBe(200);
  });

  it("refuses a NAR under another hash", async () => {
    const nar = fileNar(Buffer.from("right"));
    const other = fileNar(Buffer.from("wrong"));
    await expectRefused(`/nar/${sha256Base32(other)}.nar`, nar);
    await expectNothing(nar);
    await expectNothing(other);
  });

  it.each([
    ["another size", { NarSize: "113" }],
    ["no size", { NarSize: "0" }],
    ["another hash", { NarHash: `sha256:${"0".repeat(52)}` }],
    ["another store path", { StorePath: `/nix/store/${"1".repeat(32)}-evil` }],
    ["another store directory", { StorePath: `/gnu/store/${"0".repeat(32)}-evil` }],
    ["a name that leads out", { StorePath: `/nix/store/${"0".repeat(32)}-../../etc` }],
    ["references that are not there", { References: `${"2".repeat(32)}-gone` }],
    ["references that are none", { References: "../../etc/passwd" }],
    ["a content address that is another's", { CA: `fixed:r:sha256:${"0".repeat(52)}` }],
    ["a content address that is none", { CA: "fixed:evil" }],
    ["a deriver that is none", { Deriver: "../x.drv" }],
  ])("refuses a narinfo with %s in one line", async (_, change) => {
    const nar = fileNar(Buffer.from("narinfos"));
    const url = `/nar/${sha256Base32(nar)}.nar`;
    expect((await http(daemon.url, url, { method: "PUT", body: nar })).status).toBe(200);
    await expectRefused(NARINFO, narinfoOf(nar, change));
    expect(await http(daemon.url, NARINFO)).toMatchObject({ status: 404 });
  });

  it.each([
    ["nothing", Buffer.alloc(0)],
    ["bytes", Buffer.alloc(1000, 0xff)],
    ["no end", Buffer.from("StorePath: x")],
    ["too much", Buffer.alloc(3 * 1024 * 1024, "a: b\n")],
  ])("refuses a narinfo that is %s", async (_, body) => {
    await expectRefused(NARINFO, body);
  });

  it.each([
    "/nar/../../etc/passwd",
    `/nar/${"e".repeat(52)}.nar`,
    `/nar/${"0".repeat(51)}.nar`,
    `/nar/${"z".repeat(52)}.nar`,
    `/nar/${"0".repeat(52)}.nar.exe`,
    `/nar/..%2f${"0".repeat(52)}.nar`,
    "/nar/tvix-castore/AAAA?narsize=1",
    `/${"0".repeat(32)}.narinfo/../x`,
    "/log/../../x.drv",
    `/log/${"0".repeat(32)}-..%2f..%2fx.drv`,
    "/realisations/x.doi",
    `/serve/${"0".repeat(32)}/x`,
    "/nix-cache-info",
  ])("refuses to write to %s", async (path) => {
    const { status } = await http(daemon.url, path, { method: "PUT", body: Buffer.from("evil") });
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(500);
  });

  it("is well", async () => {
    expect(await http(daemon.url, "/nix-cache-info")).toMatchObject({ status: 200 });
    expect(daemon.log()).not.toMatch(/"level":"error"/);
  });
});
