import { readdirSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type CpioEntry, cpio } from "./cpio.js";

/** Where the tools unpack Debian's kernel for virtual machines. */
const KERNEL_DIRECTORY: string = fileURLToPath(
  new URL("../../../../node_modules/.cache/guest-kernel", import.meta.url),
);

/** What virtio-fs needs, in the order in which it is loaded. */
const MODULES = [
  "drivers/virtio/virtio_ring",
  "drivers/virtio/virtio",
  "drivers/virtio/virtio_pci_legacy_dev",
  "drivers/virtio/virtio_pci_modern_dev",
  "drivers/virtio/virtio_pci",
  "fs/fuse/fuse",
  "fs/fuse/virtiofs",
];

const DIRECTORY = 0o040755;
const PROGRAM = 0o100755;
const CHARACTER_DEVICE = 0o020600;

/** What a guest is made of, all from Debian. */
export interface GuestParts {
  readonly qemu: string;
  /** Path of the kernel's image. */
  readonly kernel: string;
  /** Path of its modules. */
  readonly modules: string;
  /** Path of a busybox that needs no library. */
  readonly busybox: string;
}

/** @returns what is missing, where something is. Whatever the machine is, its emulator is that of x86-64. */
export function findGuestParts(): GuestParts | string {
  const qemu = findProgram("qemu-system-x86_64");
  if (qemu === undefined) return "qemu-system-x86_64 (Debian package qemu-system-x86)";
  const busybox = findProgram("busybox");
  if (busybox === undefined || !isStatic(busybox)) return "a static busybox (busybox-static)";
  const kernel = list(join(KERNEL_DIRECTORY, "boot")).find((name) => name.startsWith("vmlinuz-"));
  const modules = list(join(KERNEL_DIRECTORY, "lib/modules"))[0];
  if (kernel === undefined || modules === undefined) {
    return "Debian's kernel (linux-image-cloud-amd64, unpacked by pnpm test)";
  }
  return {
    qemu,
    busybox,
    kernel: join(KERNEL_DIRECTORY, "boot", kernel),
    modules: join(KERNEL_DIRECTORY, "lib/modules", modules, "kernel"),
  };
}

/** The first file system of a guest: it loads what is needed and runs a script, which ends the guest. */
export function initramfs(parts: GuestParts, script: string): Buffer {
  const modules = MODULES.map((path) => ({
    name: `modules/${path.split("/").at(-1)}.ko`,
    mode: 0o100644,
    content: readFileSync(join(parts.modules, `${path}.ko`)),
  }));
  const entries: CpioEntry[] = [
    ...["bin", "dev", "proc", "sys", "mnt", "tmp", "modules"].map((name) => ({
      name,
      mode: DIRECTORY,
    })),
    { name: "dev/console", mode: CHARACTER_DEVICE, device: [5, 1] },
    { name: "bin/busybox", mode: PROGRAM, content: readFileSync(parts.busybox) },
    ...modules,
    { name: "init", mode: PROGRAM, content: Buffer.from(INIT) },
    { name: "script", mode: PROGRAM, content: Buffer.from(`#!/bin/sh\n${script}`) },
  ];
  return cpio(entries);
}

const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin LC_ALL=C
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
${MODULES.map((path) => `insmod /modules/${path.split("/").at(-1)}.ko`).join("\n")}
sh /script
echo "the script ended with $?"
poweroff -f
`;

function list(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    // Nothing was unpacked.
    return [];
  }
}

function findProgram(name: string): string | undefined {
  const directories = (process.env["PATH"] ?? "").split(delimiter);
  const found = directories.find((directory) => list(directory).includes(name));
  return found === undefined ? undefined : join(found, name);
}

/** Whether a program names no loader: PT_INTERP (3) is in none of its headers (elf.h, 64 bits). */
function isStatic(program: string): boolean {
  const bytes = readFileSync(program);
  const [start, size, count] = [
    Number(bytes.readBigUInt64LE(32)),
    bytes.readUInt16LE(54),
    bytes.readUInt16LE(56),
  ];
  return Array.from({ length: count }, (_, i) => bytes.readUInt32LE(start + i * size)).every(
    (type) => type !== 3,
  );
}
