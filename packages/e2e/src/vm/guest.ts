import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type GuestParts, initramfs } from "./guest-parts.js";

/** How a guest is made. */
export interface GuestOptions {
  /** Where vhost-user is served. */
  readonly socketPath: string;
  /** What it runs, with the shell of busybox, then powers off. */
  readonly script: string;
  /** Where its first file system is written. */
  readonly directory: string;
  /** Virtual processors; 1 by default. */
  readonly processors?: number;
  /** Request queues of its device; 1 by default. */
  readonly queues?: number;
}

/** A virtual machine. */
export interface Guest {
  /** All that it has written to its console. */
  console(): string;
  /** Waits until a line has been written. */
  line(text: string): Promise<void>;
  /** Its exit status. */
  readonly ended: Promise<number | null>;
  kill(): void;
}

/** Longest life of a guest, in milliseconds. It is emulated, and other tests may use both cores. */
const MAX_LIFE_MS = 240_000;

/** Starts a guest whose file system has the tag `store`. */
export function startGuest(parts: GuestParts, options: GuestOptions): Guest {
  const initrd = join(options.directory, "initramfs");
  writeFileSync(initrd, initramfs(parts, options.script));
  const child = spawn(parts.qemu, qemuArguments(parts, options, initrd), {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  const listeners = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      for (const listener of listeners) listener();
    });
  }
  const timer = setTimeout(() => child.kill("SIGKILL"), MAX_LIFE_MS);
  const ended = new Promise<number | null>((settle, reject) => {
    child.once("error", reject);
    child.once("close", (status) => {
      clearTimeout(timer);
      settle(status);
    });
  });
  const line = (text: string): Promise<void> =>
    new Promise((settle, reject) => {
      const look = (): void => {
        if (!said.split(/\r?\n/).includes(text)) return;
        listeners.delete(look);
        settle();
      };
      listeners.add(look);
      look();
      ended.then(
        () => reject(new Error(`The guest ended without saying ${text}:\n${said}`)),
        reject,
      );
    });
  return { console: () => said, line, ended, kill: () => void child.kill("SIGKILL") };
}

// Emulated, not virtualized, so that it runs everywhere. Memory is shared with the back-end.
function qemuArguments(parts: GuestParts, options: GuestOptions, initrd: string): string[] {
  const { processors = 1, queues = 1, socketPath } = options;
  const memory = "512M";
  return [
    ...["-accel", "tcg", "-cpu", "max", "-smp", String(processors), "-m", memory],
    ...["-object", `memory-backend-memfd,id=memory,size=${memory},share=on`],
    ...["-machine", "q35,memory-backend=memory", "-nodefaults", "-display", "none"],
    ...["-serial", "stdio"],
    ...["-kernel", parts.kernel, "-initrd", initrd],
    ...["-append", "console=ttyS0 quiet panic=-1"],
    ...["-chardev", `socket,id=store,path=${socketPath}`],
    "-device",
    `vhost-user-fs-pci,chardev=store,tag=store,queue-size=1024,num-request-queues=${queues}`,
  ];
}
