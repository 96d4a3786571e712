import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Half of the time that a packet and its answer are under way. */
const DELAY_MS = 25;

/** Whether this process may make networks. */
const isPossible = spawnSync("ip", ["netns", "add", `tvix-${process.pid}-try`]).status === 0;
if (isPossible) execFileSync("ip", ["netns", "delete", `tvix-${process.pid}-try`]);

/**
 * A machine of a test: a network namespace with one cable to this one, as far away as half of 50 ms. Where
 * namespaces cannot be made it is this machine.
 */
export class Machine implements Disposable {
  /** Its address. */
  readonly host: string;
  /** The address of the other end of its cable, which it reaches. */
  readonly gateway: string;
  /** What makes a program run on it, see {@link StartDaemonOptions.through}. */
  readonly through: readonly string[];
  /** What is left to do for whoever joins two machines: the kernel may not be able to delay packets. */
  readonly delayMs: number;
  readonly #cable: string | undefined;
  readonly #namespace: string;

  private constructor(number: number) {
    this.#namespace = `tvix-${process.pid}-${number}`;
    if (!isPossible) {
      process.stderr.write("There can be no network namespaces: all daemons are on this machine\n");
      this.host = "127.0.0.1";
      this.gateway = "127.0.0.1";
      this.through = [];
      this.delayMs = DELAY_MS;
      return;
    }
    this.#cable = `tv${process.pid}-${number}`;
    this.gateway = `10.231.${number}.1`;
    this.host = `10.231.${number}.2`;
    this.through = ["ip", "netns", "exec", this.#namespace];
    this.#connect(this.#cable);
    const delay = ["root", "netem", "delay", `${DELAY_MS / 2}ms`];
    const { status } = spawnSync("tc", ["qdisc", "add", "dev", this.#cable, ...delay]);
    this.delayMs = status === 0 ? 0 : DELAY_MS;
  }

  /** @param number - 1 to 254, another for each machine of a test */
  static create(number: number): Machine {
    return new Machine(number);
  }

  #connect(cable: string): void {
    const ip = (...words: readonly string[]): void => {
      execFileSync("ip", words, { stdio: "pipe" });
    };
    const inside = (...words: readonly string[]): void => ip("-n", this.#namespace, ...words);
    ip("netns", "add", this.#namespace);
    ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", this.#namespace);
    ip("address", "add", `${this.gateway}/24`, "dev", cable);
    ip("link", "set", cable, "up");
    inside("address", "add", `${this.host}/24`, "dev", "eth0");
    inside("link", "set", "eth0", "up");
    inside("link", "set", "lo", "up");
  }

  /** Bytes on the cable so far, both ways and with all headers; `undefined` where there is none. */
  get bytesOnWire(): number | undefined {
    if (this.#cable === undefined) return undefined;
    const count = (direction: string): number =>
      Number(readFileSync(`/sys/class/net/${this.#cable}/statistics/${direction}_bytes`, "utf8"));
    return count("rx") + count("tx");
  }

  [Symbol.dispose](): void {
    if (this.#cable !== undefined) execFileSync("ip", ["netns", "delete", this.#namespace]);
  }
}
