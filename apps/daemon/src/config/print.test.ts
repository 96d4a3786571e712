import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadSettings } from "./load.js";
import { printSettings } from "./print.js";

const DEFAULT_TEXT = `data-dir = "/data" # default
# store is not set
# composition is not set
listen = [ "127.0.0.1:8000" ] # default
insecure = false # default
# tokens is not set
cors-origin = [ "none" ] # default
signing-key = [ "none" ] # default
list = true # default
metrics = true # default
shutdown-grace = "30s" # default

[tls]
# cert is not set
# key is not set
# client-ca is not set

[log]
level = "info" # default
format = "auto" # default

[cache]
trusted-keys = [ "none" ] # default
priority = 39 # default
mass-query = true # default
check-references = true # default
compression = "none" # default
scan-references = "off" # default

[limit]
connections = 4096 # default
streams = 256 # default
calls = 8192 # default
directories = 1048576 # default
nar = "1024GiB" # default
message-in = "4MiB" # default
message-out = "4MiB" # default
header-timeout = "10s" # default
idle-timeout = "5m" # default
stall-timeout = "1m" # default
`;

function load(flags: Record<string, string | true>, configFile?: string) {
  return loadSettings({
    flag: (name) => flags[name],
    env: {},
    configFile,
    defaultDataDirectory: () => "/data",
  });
}

describe("printSettings()", () => {
  it("prints every key and where it comes from", () => {
    expect(printSettings(load({}))).toBe(DEFAULT_TEXT);
  });

  it("prints a file that sets the same", () => {
    const loaded = load({
      listen: "none",
      "cors-origin": "https://a.example,http://localhost:5173",
      tokens: '/a "quoted"\tname',
      "tls-cert": "/c",
      "tls-key": "/k",
      "no-metrics": true,
      "limit-header-timeout": "1500ms",
      "limit-message-in": "65537B",
    });
    const directory = mkdtempSync(join(tmpdir(), "tvix-daemon-print-"));
    try {
      const file = join(directory, "printed.toml");
      writeFileSync(file, printSettings(loaded));
      expect(load({}, file).settings).toEqual(loaded.settings);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
