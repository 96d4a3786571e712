import { describe, expect, it } from "vitest";
import { parsePathInfoJson } from "./path-info-json.js";

const PATH = "/nix/store/8zp962jbwypd6dgbmb5w039dig9z7nd3-text-a";
const HASH = "sha256:04zwf782yjwnh3q6hz5izfd6jyip8kgw6g6yj43fiqhbyhdd0dqw";
const SIGNATURE = `test.example-1:${"A".repeat(86)}==`;
const ELEMENT = {
  path: PATH,
  narHash: HASH,
  narSize: 120,
  references: [PATH],
  signatures: [SIGNATURE],
  deriver: "/nix/store/zg5ncddjy6k9sngpnasykgk6n7kmc15c-selfish.drv",
  ca: `text:${HASH}`,
  registrationTime: 1,
  ultimate: true,
  valid: true,
};

describe("parsePathInfoJson()", () => {
  it("keeps all that a path info has room for", () => {
    const [path, ...others] = parsePathInfoJson(JSON.stringify([ELEMENT]), "x");
    expect(others).toEqual([]);
    expect(String(path?.storePath)).toBe(PATH);
    expect(path?.references.map(String)).toEqual([PATH]);
    expect(path?.narSize).toBe(120n);
    expect(path?.signatures.map((signature) => signature.format())).toEqual([SIGNATURE]);
    expect(path?.deriver?.name).toBe("selfish");
    expect(path?.contentAddress?.method).toBe("text");
  });

  const { path: _, ...fields } = ELEMENT;
  it.each([
    ["an object by path, as newer versions print", { [PATH]: fields }],
    ["base names", { [PATH.slice("/nix/store/".length)]: { ...fields, references: [] } }],
    ["an object with a version", { version: 2, info: { [PATH]: fields } }],
    ["structured attributes with a graph", { builder: "x", closure: [ELEMENT], outputs: ["out"] }],
    ["absent fields", [{ path: PATH, narHash: HASH, narSize: 120 }]],
    ["null for what is absent", [{ ...ELEMENT, deriver: null, ca: null }]],
  ])("reads %s", (_name, json) => {
    const paths = parsePathInfoJson(JSON.stringify(json), "x");
    expect(paths.map(({ storePath }) => String(storePath))).toEqual([PATH]);
  });

  it.each([
    ["no JSON", "{", "is not JSON"],
    ["a text", '"x"', "is no list"],
    ["a list of texts", '["x"]', "not an object"],
    ["a path elsewhere", JSON.stringify([{ ...ELEMENT, path: "/gnu/store/x" }]), "/gnu/store/x"],
    ["no path", JSON.stringify([fields]), "cannot read x"],
    ["a hash that is none", JSON.stringify([{ ...ELEMENT, narHash: "x" }]), PATH],
    ["a size of zero", JSON.stringify([{ ...ELEMENT, narSize: 0 }]), PATH],
    ["a reference that is a number", JSON.stringify([{ ...ELEMENT, references: [1] }]), PATH],
  ])("refuses %s", (_name, text, message) => {
    expect(() => parsePathInfoJson(text, "x")).toThrow(message);
  });
});
