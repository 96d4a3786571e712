import { spawnSync } from "node:child_process";
import { createHash, type Hash } from "node:crypto";
import { closeSync, openSync, readSync, statSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import { encodeNixBase32 } from "@tvix/store";
import { seededBytes } from "../primitives/seeded-bytes.js";

/** A NAR in a file. */
export interface NarFile {
  readonly file: string;
  readonly bytes: number;
  /** Where a cache has it. */
  readonly path: string;
}

const BLOCK_BYTES = 8 * 1024 * 1024;

/** A NAR of one file with so many bytes that do not compress, made by `nix-store --dump`. */
export function makeNarFile(folder: string, contentBytes: number): NarFile {
  const content = join(folder, `content-${contentBytes}`);
  const file = join(folder, `${contentBytes}.nar`);
  withNewFile(content, (fd) => {
    for (let at = 0; at < contentBytes; at += BLOCK_BYTES) {
      const length = Math.min(BLOCK_BYTES, contentBytes - at);
      writeSync(fd, seededBytes(`nar ${contentBytes} ${at}`, length));
    }
  });
  withNewFile(file, (fd) => {
    const dump = spawnSync("nix-store", ["--dump", content], { stdio: ["ignore", fd, "inherit"] });
    if (dump.status !== 0) throw new Error("Cannot prepare: nix-store --dump failed");
  });
  unlinkSync(content);
  const hash = encodeNixBase32(sha256Of(file));
  return { file, bytes: statSync(file).size, path: `/nar/${hash}.nar` };
}

function withNewFile(path: string, use: (fd: number) => void): void {
  const fd = openSync(path, "wx");
  try {
    use(fd);
  } finally {
    closeSync(fd);
  }
}

function sha256Of(file: string): Uint8Array {
  const hash: Hash = createHash("sha256");
  const block = new Uint8Array(BLOCK_BYTES);
  const fd = openSync(file, "r");
  try {
    for (let length = -1; length !== 0; ) {
      length = readSync(fd, block);
      hash.update(block.subarray(0, length));
    }
  } finally {
    closeSync(fd);
  }
  return Uint8Array.from(hash.digest());
}
