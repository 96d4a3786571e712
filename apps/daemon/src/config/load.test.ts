import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ConfigError } from "./config-error.js";
import { SETTING_KEYS } from "./keys.js";
import { type LoadedSettings, loadSettings } from "./load.js";
import { environmentOf, flagOf } from "./names.js";
import { DEFAULTS } from "./settings.js";

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "tvix-daemon-config-"));
});

afterAll(() => {
  rmSync(directory, { recursive: true });
});

interface Input {
  readonly flags?: Readonly<Record<string, string | true>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly file?: string;
}

function load({ flags = {}, env = {}, file }: Input): LoadedSettings {
  const configFile = join(directory, "daemon.toml");
  if (file !== undefined) writeFileSync(configFile, file);
  return loadSettings({
    flag: (name) => flags[name],
    env,
    configFile: file === undefined ? undefined : configFile,
    defaultDataDirectory: () => "/data",
    // Enough for what is misspelt below: all letters but the last.
    suggest: (typed, candidates) => {
      const near = typed.slice(0, -1);
      return [...candidates].find((candidate) => candidate.startsWith(near));
    },
  });
}

function problemsOf(input: Input): readonly string[] {
  try {
    load(input);
  } catch (error) {
    if (error instanceof ConfigError) {
      return error.problems.map((problem) => problem.replaceAll(directory, "DIR"));
    }
    throw error;
  }
  return [];
}

describe("loadSettings()", () => {
  it("takes the defaults where nothing is set", () => {
    const { settings, origins, warnings } = load({});
    expect(settings).toEqual({ ...DEFAULTS, "data-dir": "/data" });
    expect([...origins.values()]).toEqual(SETTING_KEYS.map(() => "default"));
    expect(warnings).toEqual([]);
  });

  it("prefers options to the environment, that to the file, and that to the defaults", () => {
    const file = 'data-dir = "f"\nmetrics = false\n[limit]\nstreams = 1\nconnections = 1\n';
    const env = { TVIX_LIMIT_STREAMS: "2", TVIX_LIMIT_CONNECTIONS: "2", TVIX_DATA_DIR: "/e" };
    const { settings, origins } = load({ flags: { "limit-connections": "3" }, env, file });
    expect(settings).toMatchObject({
      "data-dir": "/e",
      metrics: false,
      "limit.streams": 2,
      "limit.connections": 3,
      list: true,
    });
    const place = join(directory, "daemon.toml");
    expect(Object.fromEntries(origins)).toMatchObject({
      "data-dir": "TVIX_DATA_DIR",
      metrics: `${place}:2`,
      "limit.streams": "TVIX_LIMIT_STREAMS",
      "limit.connections": "--limit-connections",
      list: "default",
    });
  });

  it.each<[string, Input, object]>([
    [
      "several addresses in an option",
      { flags: { listen: "127.0.0.1:0, [::1]:80" } },
      {
        listen: [
          { host: "127.0.0.1", port: 0 },
          { host: "::1", port: 80 },
        ],
      },
    ],
    ["no address at all", { env: { TVIX_LISTEN: "none" } }, { listen: [] }],
    [
      "one address as a string",
      { file: 'listen = "localhost:80"' },
      { listen: [{ host: "localhost", port: 80 }] },
    ],
    [
      "a list of addresses",
      { file: 'listen = ["[::1]:1", "127.1.2.3:2"]' },
      {
        listen: [
          { host: "::1", port: 1 },
          { host: "127.1.2.3", port: 2 },
        ],
      },
    ],
    [
      "origins of pages",
      { env: { TVIX_CORS_ORIGIN: "https://a.example, http://localhost:5173" } },
      { "cors-origin": ["https://a.example", "http://localhost:5173"] },
    ],
    [
      "no origin after all",
      { file: 'cors-origin = "https://a.example"', flags: { "cors-origin": "none" } },
      { "cors-origin": [] },
    ],
    [
      "an option that turns on",
      { flags: { insecure: true, listen: "0.0.0.0:1" } },
      { insecure: true },
    ],
    [
      "an option that turns off",
      { flags: { "no-list": true, "no-metrics": true } },
      { list: false, metrics: false },
    ],
    [
      "switches in the environment",
      { env: { TVIX_LIST: "0", TVIX_INSECURE: "true" } },
      { list: false, insecure: true },
    ],
    [
      "times",
      { flags: { "shutdown-grace": "0s", "limit-idle-timeout": "90m" } },
      { "shutdown-grace": 0, "limit.idle-timeout": 5_400_000 },
    ],
    [
      "sizes",
      { file: 'limit.message-in = "64KiB"\nlimit.message-out = "64MiB"' },
      { "limit.message-in": 65_536, "limit.message-out": 67_108_864 },
    ],
    [
      "choices",
      { file: '[log]\nlevel = "off"\nformat = "json"\n[cache]\ncompression = "xz"' },
      { "log.level": "off", "log.format": "json", "cache.compression": "xz" },
    ],
    [
      "TLS and tokens on any address",
      { flags: { "tls-cert": "/c", "tls-key": "/k", tokens: "/t", listen: "[::]:443" } },
      { "tls.cert": "/c" },
    ],
    [
      "mutual TLS on any address",
      {
        flags: {
          "tls-cert": "/c",
          "tls-key": "/k",
          "tls-client-ca": "/a",
          listen: "example.org:443",
        },
      },
      { "tls.client-ca": "/a" },
    ],
  ])("takes %s", (_, input, expected) => {
    expect(load(input).settings).toMatchObject(expected);
  });

  it("takes paths in a file as relative to the file", () => {
    const { settings } = load({
      file: 'tokens = "t"\ndata-dir = "../d"\n[tls]\ncert = "/c"\nkey = "k"',
    });
    expect(settings).toMatchObject({
      tokens: join(directory, "t"),
      "data-dir": join(directory, "..", "d"),
      "tls.cert": "/c",
      "tls.key": join(directory, "k"),
    });
  });

  it.each<[string, Input, string]>([
    [
      "an unknown key",
      { file: "metrics = true\nbackend = 1" },
      "DIR/daemon.toml:2: backend is not a key",
    ],
    [
      "a misspelt key",
      { file: "[limit]\nstreamz = 5" },
      "DIR/daemon.toml:2: limit.streamz is not a key: did you mean limit.streams?",
    ],
    ["an unknown table", { file: "\n[limits]" }, "DIR/daemon.toml:2: [limits] is not a table"],
    [
      "a table in a table",
      { file: "[limit.xy]\nmessage = 1" },
      "DIR/daemon.toml:1: limit.xy is not a key",
    ],
    [
      "a table that is none",
      { file: 'tls = "on"' },
      "DIR/daemon.toml:1: tls is not a key: did you mean tls.cert?",
    ],
    [
      "text that is not TOML",
      { file: "a = 1\nb = [" },
      "DIR/daemon.toml:2:5: not TOML: unfinished array",
    ],
    [
      "a key that is set twice",
      { file: "list = true\nlist = true" },
      "DIR/daemon.toml:2:1: not TOML: trying to redefine an already defined table or value",
    ],
    [
      "the wrong type",
      { file: 'list = "yes"' },
      'DIR/daemon.toml:1: list must be true or false, but it is "yes"',
    ],
    [
      "a number as text",
      { file: 'limit = { streams = "5" }' },
      'DIR/daemon.toml:1: limit.streams must be a whole number from 1 to 10000, but it is "5"',
    ],
    [
      "a number out of range",
      { env: { TVIX_LIMIT_STREAMS: "0" } },
      "TVIX_LIMIT_STREAMS must be a whole number from 1 to 10000, but it is 0",
    ],
    [
      "a number that is none",
      { flags: { "limit-connections": "many" } },
      '--limit-connections must be a whole number from 1 to 1000000, but it is "many"',
    ],
    [
      "a time without unit",
      { flags: { "shutdown-grace": "30" } },
      '--shutdown-grace must be a time such as "500ms", "30s" or "5m", from 0ms to 1h, but it is "30"',
    ],
    [
      "a time that is too long",
      { env: { TVIX_LIMIT_HEADER_TIMEOUT: "2h" } },
      'TVIX_LIMIT_HEADER_TIMEOUT must be a time such as "500ms", "30s" or "5m", from 100ms to 1h, but it is "2h"',
    ],
    [
      "a size that is too small",
      { flags: { "limit-message-in": "1KiB" } },
      '--limit-message-in must be a size such as "256KiB" or "4MiB", from 64KiB to 64MiB, but it is "1KiB"',
    ],
    [
      "a choice that is none",
      { env: { TVIX_CACHE_COMPRESSION: "bzip2" } },
      'TVIX_CACHE_COMPRESSION must be "none", "zstd", "gzip", "br" or "xz", but it is "bzip2"',
    ],
    [
      "a level that is none",
      { env: { TVIX_LOG_LEVEL: "trace" } },
      'TVIX_LOG_LEVEL must be "debug", "info", "warn", "error" or "off", but it is "trace"',
    ],
    [
      "an empty path",
      { env: { TVIX_TOKENS: "" } },
      'TVIX_TOKENS must be a path, not empty, but it is ""',
    ],
    [
      "an address without port",
      { flags: { listen: "127.0.0.1" } },
      '--listen must be addresses HOST:PORT, such as "127.0.0.1:8000" or "[::1]:8000", or "none" alone, but it is ["127.0.0.1"]',
    ],
    [
      "an address with a large port",
      { env: { TVIX_LISTEN: "localhost:65536" } },
      'TVIX_LISTEN must be addresses HOST:PORT, such as "127.0.0.1:8000" or "[::1]:8000", or "none" alone, but it is ["localhost:65536"]',
    ],
    [
      "addresses of the wrong type",
      { file: "listen = 8000" },
      'DIR/daemon.toml:1: listen must be addresses HOST:PORT, such as "127.0.0.1:8000" or "[::1]:8000", or "none" alone, but it is 8000',
    ],
    [
      "an origin with a path",
      { file: 'cors-origin = ["https://a.example/"]' },
      'DIR/daemon.toml:1: cors-origin must be origins, such as "https://example.org" or "http://localhost:5173", without a path, or "none" alone, but it is ["https://a.example/"]',
    ],
    [
      "all origins",
      { flags: { "cors-origin": "*" } },
      '--cors-origin must be origins, such as "https://example.org" or "http://localhost:5173", without a path, or "none" alone, but it is ["*"]',
    ],
    [
      "a certificate without key",
      { flags: { "tls-cert": "c" } },
      "--tls-cert: tls.cert needs tls.key",
    ],
    [
      "a key without certificate",
      { env: { TVIX_TLS_KEY: "k" } },
      "TVIX_TLS_KEY: tls.key needs tls.cert",
    ],
    [
      "client certificates without TLS",
      { file: '[tls]\nclient-ca = "a"' },
      "DIR/daemon.toml:2: tls.client-ca needs tls.cert",
    ],
    [
      "a store and a composition",
      { flags: { store: "memory:" }, env: { TVIX_DAEMON_COMPOSITION: "/c.toml" } },
      "--store: store and composition both say what is served: give one of them",
    ],
    [
      "a directory as a store",
      { env: { TVIX_DAEMON_STORE: "local:///d" } },
      "TVIX_DAEMON_STORE: a directory is served by data-dir",
    ],
    [
      "a store that is no address",
      { flags: { store: "somewhere" } },
      '--store must be the address of a store, such as grpc+http://HOST:PORT, but it is "somewhere"',
    ],
    [
      "a password in an address",
      { flags: { store: "grpc+http://me:secret@host:1" } },
      '--store must be the address of a store, such as grpc+http://HOST:PORT, but it is "grpc+http://***@host:1"',
    ],
    [
      "any address with nothing",
      { flags: { listen: "0.0.0.0:8000" } },
      "--listen: other machines can reach 0.0.0.0:8000, which takes TLS (tls.cert, tls.key) and authentication (tokens or tls.client-ca); set insecure to go without",
    ],
    [
      "any address without TLS",
      { flags: { listen: "[::]:1", tokens: "t" } },
      "--listen: other machines can reach [::]:1, which takes TLS (tls.cert, tls.key); set insecure to go without",
    ],
    [
      "any address without authentication",
      { flags: { listen: "host:1", "tls-cert": "c", "tls-key": "k" } },
      "--listen: other machines can reach host:1, which takes authentication (tokens or tls.client-ca); set insecure to go without",
    ],
  ])("refuses %s", (_, input, problem) => {
    expect(problemsOf(input)).toEqual([problem]);
  });

  it("is not told what to serve by what tells commands which store to use", () => {
    const env = { TVIX_STORE: "memory:", TVIX_COMPOSITION: "/c.toml" };
    const { settings, warnings } = load({ env });
    expect(settings).toMatchObject({ store: undefined, composition: undefined });
    expect(warnings).toEqual([]);
  });

  it("names every broken rule of every source", () => {
    const file = "list = 1\nmetrics = 2";
    expect(problemsOf({ file, env: { TVIX_LIST: "x" }, flags: { listen: "x" } })).toHaveLength(4);
  });

  it.each([
    ["absent", /absent cannot be read: there is no such file$/],
    [".", /cannot be read: EISDIR/],
  ])("says why a file cannot be read: %s", (name, message) => {
    const sources = { flag: () => undefined, env: { TVIX_CONFIG: join(directory, name) } };
    expect(() => loadSettings({ ...sources, defaultDataDirectory: () => "/data" })).toThrow(
      message,
    );
  });

  it("warns of a variable that is misspelt, and leaves those of others alone", () => {
    const { warnings } = load({ env: { TVIX_LISTEM: "x", TVIX_DEBUG: "1" } });
    expect(warnings).toEqual(["TVIX_LISTEM is not a setting: did you mean TVIX_LISTEN?"]);
  });
});

describe("names", () => {
  it("follow from the key, and are all different", () => {
    expect(flagOf("tls.client-ca")).toBe("tls-client-ca");
    expect(flagOf("list")).toBe("no-list");
    expect(flagOf("insecure")).toBe("insecure");
    expect(environmentOf("tls.client-ca")).toBe("TVIX_TLS_CLIENT_CA");
    expect(new Set(SETTING_KEYS.map(flagOf)).size).toBe(SETTING_KEYS.length);
    expect(new Set(SETTING_KEYS.map(environmentOf)).size).toBe(SETTING_KEYS.length);
  });
});
