import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { noise } from "./trees.js";

/** Builds a small tree in which there is one of everything. */
export function buildSample(path: string): void {
  mkdirSync(`${path}/include/sys`, { recursive: true });
  mkdirSync(`${path}/empty`);
  writeFileSync(`${path}/README`, "read me\n");
  writeFileSync(`${path}/include/stdio.h`, "int printf();\n");
  writeFileSync(`${path}/include/sys/types.h`, "typedef int x;\n");
  writeFileSync(`${path}/run`, "#!/bin/sh\n");
  chmodSync(`${path}/run`, 0o755);
  writeFileSync(`${path}/big`, noise(700_000, 5));
  symlinkSync("include/stdio.h", `${path}/link`);
  writeFileSync(`${path}/line\nbreak`, "x");
  writeFileSync(Buffer.concat([Buffer.from(`${path}/caf`), Buffer.of(0xe9)]), "latin1");
}
