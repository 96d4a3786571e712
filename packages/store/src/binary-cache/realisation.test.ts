import { toUtf8 } from "@tvix/castore";
import { describe, expect, it } from "vitest";
import { SigningKey } from "../signature/signing-key.js";
import { TrustedKeys } from "../signature/trusted-keys.js";
import { StorePath } from "../store-path/store-path.js";
import { MemoryCache } from "../testing/memory-cache.js";
import { SYMLINK_NODE } from "../testing/nar-fixtures.js";
import { formatRealisation, parseRealisation, realisationFingerprint } from "./realisation.js";

const HASH = "ab".repeat(32);
const ID = `sha256:${HASH}!out`;
const URL = `/realisations/${ID}.doi`;
const OUT = StorePath.of(new Uint8Array(20), "hello");
const OTHER = StorePath.of(new Uint8Array(20).fill(1), "other");
const KEY = SigningKey.generate("key-1");

interface Fields {
  readonly [key: string]: unknown;
}

function json(change: Fields = {}): string {
  return JSON.stringify({
    dependentRealisations: {},
    id: ID,
    outPath: OUT.baseName,
    signatures: [],
    ...change,
  });
}

function signed(change: Fields = {}, key: SigningKey = KEY): string {
  const text = realisationFingerprint(parseRealisation(toUtf8(json(change))));
  return json({ ...change, signatures: [key.signText(text).format()] });
}

async function cacheWithPaths(
  options: ConstructorParameters<typeof MemoryCache>[0] = {},
): Promise<MemoryCache> {
  const cache = new MemoryCache(options);
  await cache.publish(OUT, SYMLINK_NODE);
  await cache.publish(OTHER, SYMLINK_NODE);
  return cache;
}

describe("formatRealisation()", () => {
  it("writes what Nix writes", () => {
    const text = json({ dependentRealisations: { [`sha256:${HASH}!dev`]: OTHER.baseName } });
    expect(formatRealisation(parseRealisation(toUtf8(text)))).toBe(text);
  });

  it("puts the keys in order, and what it does not know away", () => {
    const dependent = { [`sha256:${HASH}!z`]: OUT.baseName, [`sha256:${HASH}!a`]: OUT.baseName };
    const text = JSON.stringify({
      new: 1,
      outPath: OUT.baseName,
      id: ID,
      dependentRealisations: dependent,
    });
    const parsed = parseRealisation(toUtf8(text));
    expect(formatRealisation(parsed)).toBe(
      `{"dependentRealisations":{"sha256:${HASH}!a":"${OUT.baseName}","sha256:${HASH}!z":"${OUT.baseName}"},` +
        `"id":"${ID}","outPath":"${OUT.baseName}","signatures":[]}`,
    );
  });
});

describe("REALISATION_ROUTE", () => {
  it("gives back what was put", async () => {
    const cache = await cacheWithPaths();
    expect(await cache.ask("GET", URL)).toMatchObject({ status: 404 });
    expect(await cache.ask("PUT", URL, { body: json() })).toMatchObject({ status: 200 });
    expect(await cache.ask("GET", URL)).toMatchObject({
      status: 200,
      text: json(),
      headers: { "content-type": "application/json" },
    });
    expect(await cache.ask("HEAD", URL)).toMatchObject({ status: 200, text: "" });
  });

  it("is found where a client escapes its id", async () => {
    const cache = await cacheWithPaths();
    await cache.ask("PUT", URL, { body: json() });
    const escaped = URL.replace(":", "%3A").replace("!", "%21");
    expect(await cache.ask("GET", escaped)).toMatchObject({ text: json() });
  });

  it("gains signatures, each once, and keeps its path", async () => {
    const cache = await cacheWithPaths();
    await cache.ask("PUT", URL, { body: json() });
    for (let i = 0; i < 2; i++) await cache.ask("PUT", URL, { body: signed() });
    expect(await cache.ask("GET", URL)).toMatchObject({ text: signed() });
    const answer = await cache.ask("PUT", URL, { body: json({ outPath: OTHER.baseName }) });
    expect(answer).toMatchObject({ status: 409, text: expect.stringContaining(String(OUT)) });
    expect(await cache.ask("GET", URL)).toMatchObject({ text: signed() });
  });

  it("keeps the signatures of many that put it at the same time, and one path", async () => {
    const cache = await cacheWithPaths();
    const names = ["a", "b", "c", "d", "e"];
    const bodies = names.map((name) => json({ signatures: [`${name}:${"A".repeat(86)}==`] }));
    const other = json({ outPath: OTHER.baseName });
    const all = [...bodies, other].map((body) => cache.ask("PUT", URL, { body }));
    const answers = await Promise.all(all);
    expect(answers.map(({ status }) => status)).toEqual([...bodies.map(() => 200), 409]);
    const { text } = await cache.ask("GET", URL);
    expect(JSON.parse(text).signatures.map((one: string) => one.split(":")[0])).toEqual(names);
  });

  it("keeps what it depends on", async () => {
    const cache = await cacheWithPaths();
    const depending = (name: string): string =>
      json({ dependentRealisations: { [`sha256:${HASH}!${name}`]: OTHER.baseName } });
    await cache.ask("PUT", URL, { body: json() });
    expect(await cache.ask("PUT", URL, { body: depending("a") })).toMatchObject({ status: 200 });
    expect(await cache.ask("PUT", URL, { body: depending("b") })).toMatchObject({ status: 409 });
    expect(await cache.ask("GET", URL)).toMatchObject({ text: depending("a") });
  });

  it("has no more signatures than it can read again", async () => {
    const cache = await cacheWithPaths();
    const signatures = (from: number): readonly string[] =>
      Array.from({ length: 200 }, (_, i) => `key-${from + i}:${"A".repeat(86)}==`);
    const put = (from: number) =>
      cache.ask("PUT", URL, { body: json({ signatures: signatures(from) }) });
    expect(await put(0)).toMatchObject({ status: 200 });
    expect(await put(200)).toMatchObject({ status: 409 });
    expect(await cache.ask("GET", URL)).toMatchObject({ status: 200 });
  });

  it.each([
    ["no JSON", "{"],
    ["no object", "[]"],
    ["another id", json({ id: `sha256:${HASH}!dev` })],
    ["no id", json({ id: 1 })],
    ["an absolute path", json({ outPath: String(OUT) })],
    ["no path", json({ outPath: null })],
    ["no list of signatures", json({ signatures: {} })],
    ["a signature that is none", json({ signatures: ["key:AAAA"] })],
    ["a signature that is no text", json({ signatures: [1] })],
    ["a list of dependent ones", json({ dependentRealisations: [] })],
    ["a dependent id that is none", json({ dependentRealisations: { x: OUT.baseName } })],
    ["a dependent path that is none", json({ dependentRealisations: { [ID]: "x" } })],
    ["a path that is not here", json({ outPath: `${"1".repeat(32)}-gone` })],
  ])("refuses %s in one line", async (_, body) => {
    const cache = await cacheWithPaths();
    const answer = await cache.ask("PUT", URL, { body });
    expect(answer).toMatchObject({ status: 400, text: expect.stringMatching(/^[^\n]+\n$/) });
    expect(await cache.ask("GET", URL)).toMatchObject({ status: 404 });
  });

  it("refuses one that is too large", async () => {
    const cache = await cacheWithPaths();
    const body = `${" ".repeat(1024 * 1024)}${json()}`;
    expect(await cache.ask("PUT", URL, { body })).toMatchObject({ status: 413 });
  });

  it("takes only what a trusted key has signed, where keys are trusted", async () => {
    const cache = await cacheWithPaths({ trustedKeys: TrustedKeys.of([KEY.publicKey]) });
    const stranger = SigningKey.generate("key-1");
    for (const body of [json(), signed({}, stranger), signed({ signatures: [] }, stranger)]) {
      expect(await cache.ask("PUT", URL, { body })).toMatchObject({ status: 403 });
    }
    expect(await cache.ask("PUT", URL, { body: signed() })).toMatchObject({ status: 200 });
  });

  it("is signed by the keys of the cache", async () => {
    const cache = await cacheWithPaths({ signingKeys: [KEY] });
    await cache.ask("PUT", URL, { body: json() });
    expect(await cache.ask("GET", URL)).toMatchObject({ text: signed() });
    await cache.ask("PUT", URL, { body: signed() });
    expect(await cache.ask("GET", URL)).toMatchObject({ text: signed() });
  });
});
