import { describe, expect, it } from "vitest";
import { formatRpcAddress, parseRpcAddress, RpcAddressError } from "./address.js";

const tcp = (host: string, port: number, encrypted = false) => ({
  transport: "tcp",
  host,
  port,
  encrypted,
});

describe("parseRpcAddress()", () => {
  it.each([
    ["grpc+http://localhost:8000", tcp("localhost", 8000)],
    ["grpc+http://127.0.0.1:1/", tcp("127.0.0.1", 1)],
    ["grpc+https://cache.example.org:443", tcp("cache.example.org", 443, true)],
    ["grpc+http://[::1]:65535", tcp("::1", 65_535)],
    ["grpc+unix:///run/tvix/daemon.sock", { transport: "unix", path: "/run/tvix/daemon.sock" }],
    ["grpc+unix:///a%20b/%C3%B6%3F", { transport: "unix", path: "/a b/ö?" }],
  ])("reads %s", (text, address) => {
    expect(parseRpcAddress(text)).toEqual(address);
    expect(parseRpcAddress(formatRpcAddress(parseRpcAddress(text)))).toEqual(address);
  });

  it.each([
    ["", "syntax"],
    ["localhost:8000", "syntax"],
    ["grpc+http:localhost:8000", "syntax"],
    ["http://localhost:8000", "scheme"],
    ["grpc://localhost:8000", "scheme"],
    ["grpc+http://", "host"],
    ["grpc+http://:8000", "host"],
    ["grpc+http://a b:8000", "host"],
    ["grpc+http://[::1", "host"],
    ["grpc+http://user:secret@host:80", "credentials"],
    ["grpc+http://localhost", "port"],
    ["grpc+http://localhost:", "port"],
    ["grpc+http://localhost:0", "port"],
    ["grpc+http://localhost:65536", "port"],
    ["grpc+http://localhost:80/path", "path"],
    ["grpc+http://localhost:80?x=1", "query"],
    ["grpc+http://localhost:80#x", "query"],
    ["grpc+unix://run/daemon.sock", "host"],
    ["grpc+unix://", "path"],
    ["grpc+unix:///", "path"],
    ["grpc+unix:///a%zz", "path"],
    ["grpc+unix:///a%00b", "path"],
    ["grpc+unix:///a?b", "query"],
  ])("refuses %j: %s", (text, reason) => {
    let error: unknown;
    try {
      parseRpcAddress(text);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(RpcAddressError);
    expect(error).toMatchObject({ reason, address: text, name: "RpcAddressError" });
  });
});
