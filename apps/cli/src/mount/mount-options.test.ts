import { describe, expect, it } from "vitest";
import { Options } from "../args/options.js";
import { defaultLogFile } from "./background.js";
import { readServedFiles } from "./mount-options.js";
import { readMountPoint } from "./mount-point.js";

const NAMES = ["list-root", "uid-gid", "no-xattr", "threads", "quiet"];

function options(name: string, value: string | undefined): Options {
  return new Options(NAMES, new Map(value === undefined ? [] : [[name, value]]));
}

describe("readServedFiles()", () => {
  it("shows digests and lists no root by default, and never writes to the store", () => {
    expect(readServedFiles(options("quiet", undefined))).toEqual({
      store: { readOnly: true, recover: true },
      files: { listRoot: false, xattrs: true },
    });
  });

  it.each([
    ["list-root", { listRoot: true, xattrs: true }],
    ["no-xattr", { listRoot: false, xattrs: false }],
  ])("reads --%s", (name, files) => {
    expect(readServedFiles(options(name, "")).files).toEqual(files);
  });

  it.each([
    ["0:0", { uid: 0, gid: 0 }],
    ["1000:4294967294", { uid: 1000, gid: 4294967294 }],
  ])("reads --uid-gid %s", (text, owner) => {
    expect(readServedFiles(options("uid-gid", text)).files.owner).toEqual(owner);
  });

  it.each(["", "1000", "root:root", "1:", "-1:0", "1:2:3", "4294967295:0", "0x1:0", "1:0 "])(
    "refuses --uid-gid %j",
    (text) => {
      expect(() => readServedFiles(options("uid-gid", text))).toThrow("needs two numbers");
    },
  );

  it.each([1, 256])("reads --threads %i", (threads) => {
    const { store } = readServedFiles(options("threads", String(threads)));
    expect(store.decoderThreads).toBe(threads);
  });

  it.each(["", "0", "257", "-1", "2.5", "many"])("refuses --threads %j", (text) => {
    expect(() => readServedFiles(options("threads", text))).toThrow("a number from 1 to 256");
  });
});

describe("readMountPoint()", () => {
  const invocation = (text: string) => ({
    arguments: [text],
    options: options("quiet", undefined),
    purpose: "",
  });

  it("takes any name in UTF-8", () => {
    expect(readMountPoint(invocation("mnt/ä b"))).toBe("mnt/ä b");
  });

  it.each([
    ["", "is empty"],
    ["mnt/\udcff", "must have a name in UTF-8"],
  ])("refuses %j", (text, message) => {
    expect(() => readMountPoint(invocation(text))).toThrow(message);
  });
});

describe("defaultLogFile()", () => {
  it.each([
    [true, {}, "/var/log/tvix/mount-mnt-store.log"],
    [false, {}, "/home/u/.local/state/tvix/mount-mnt-store.log"],
    [false, { XDG_STATE_HOME: "/s" }, "/s/tvix/mount-mnt-store.log"],
    [false, { XDG_STATE_HOME: "relative" }, "/home/u/.local/state/tvix/mount-mnt-store.log"],
  ])("is where logs are for root %s with %j", (isRoot, env, file) => {
    const sources = { isRoot, env, homeDirectory: "/home/u" };
    expect(defaultLogFile("/mnt/./store/", sources)).toBe(file);
  });
});
