import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type SampleTree, TREES } from "../cli/trees.js";
import { runProgram } from "../daemon/run.js";
import { MountRig, NO_MOUNTS, shell, shellText } from "./mount-rig.js";

/** Nothing of the settings of whoever runs the tests. */
const GIT_ENV = {
  PATH: process.env["PATH"],
  HOME: "/nonexistent",
  GIT_AUTHOR_NAME: "A",
  GIT_AUTHOR_EMAIL: "a@example.org",
  GIT_COMMITTER_NAME: "A",
  GIT_COMMITTER_EMAIL: "a@example.org",
};

let rig: MountRig;
/** Where all trees are shown. */
let store: string;

/** Trees that say something about a file system. A link is no mount, and gigabytes are tried elsewhere. */
const SHOWN: readonly SampleTree[] = TREES.filter(
  ({ about }) => !/1 GiB|100,000|slash at the end|dot at the end|detour/.test(about),
);

/** Imports a tree. @returns where it is, and where it is shown */
async function shown(name: string, build: (path: string) => void) {
  const source = rig.sandbox.path(name);
  build(source);
  return { source, mounted: join(store, await rig.import(source)) };
}

beforeAll(async () => {
  if (NO_MOUNTS !== undefined) return;
  rig = await MountRig.create();
  store = (await rig.mount({ options: ["--list-root"] })).path;
});

afterAll(() => rig?.remove());

describe.skipIf(NO_MOUNTS)("a tree that is mounted", () => {
  const sources: string[] = [];
  let names: readonly string[];

  beforeAll(async () => {
    for (const [i, { name, build }] of SHOWN.entries()) {
      const folder = rig.sandbox.path(`t${i}`);
      mkdirSync(folder);
      const source = join(folder, name ?? "tree");
      build(source);
      sources.push(source);
    }
    names = (await rig.sandbox.text(["import", "--", ...sources]))
      .split("\n")
      .map((path) => basename(path));
  });

  it.each(SHOWN.map(({ about }, i) => [about, i] as const))("is the same: %s", async (_, i) => {
    const source = sources[i] ?? expect.unreachable();
    const mounted = join(store, names[i] ?? expect.unreachable());
    expect(await shellText('diff -r --no-dereference "$1" "$2"', source, mounted)).toBe("");
    // What diff does not compare: kinds, sizes, targets and who may execute. What only the group or others may
    // execute is not executable.
    for (const list of [
      `find "$1" ! -type d -printf '%P\\0%y %s %l\\0' | sort -z`,
      `find "$1" -type f -perm -100 -printf '%P\\0' | sort -z`,
    ]) {
      expect(await shellText(list, mounted)).toBe(await shellText(list, source));
    }
  });
});

describe.skipIf(NO_MOUNTS)("programs of others find a tree", () => {
  let source: string;
  let mounted: string;

  beforeAll(async () => {
    // Real ones: headers, and what Node ships.
    ({ source, mounted } = await shown("real", (path) => {
      mkdirSync(path);
      cpSync("/usr/include", join(path, "include"), { recursive: true, verbatimSymlinks: true });
      cpSync(join(import.meta.dirname, "../.."), join(path, "e2e"), {
        recursive: true,
        verbatimSymlinks: true,
        filter: (name) => !name.includes("node_modules"),
      });
    }));
  });

  it("diff", async () => {
    expect(await shellText('diff -r --no-dereference "$1" "$2"', source, mounted)).toBe("");
  });

  it("find, with types, sizes and links", async () => {
    const list = `cd "$1" && find . -printf '%p %y %l\\n' | sort`;
    expect(await shellText(list, mounted)).toBe(await shellText(list, source));
    // A directory has one link for itself, one for its name, and one for each directory in it.
    const links = `cd "$1" && find . -type d -links +2 | sort`;
    const children = `cd "$1" && find . -mindepth 2 -type d -printf '%h\\n' | sort -u`;
    const below = (await shellText(children, mounted)).split("\n").filter((line) => line !== "");
    expect((await shellText(links, mounted)).split("\n")).toEqual(expect.arrayContaining(below));
  });

  it("tar", async () => {
    const pack = `tar -C "$1" --sort=name --mtime=@1 --owner=0 --group=0 --mode=a+rwX -cf - . | sha256sum`;
    expect(await shellText(pack, mounted)).toBe(await shellText(pack, source));
  });

  it("rsync with checksums", async () => {
    const compare = 'rsync -n -i --checksum --recursive --links --delete "$1/" "$2/"';
    expect(await shellText(compare, mounted, source)).toBe("");
  });

  it("du and cksum", async () => {
    const sum = `cd "$1" && find . -type f -print0 | sort -z | xargs -0 cksum`;
    expect(await shellText(sum, mounted)).toBe(await shellText(sum, source));
    const [size] = (await shellText('du -s --apparent-size -B1 "$1/e2e/src"', mounted)).split("\t");
    expect(Number(size)).toBeGreaterThan(100_000);
  });

  it("64 readers at once", async () => {
    const sum = `cd "$1" && find . -type f -print0 | xargs -0 -P 64 -n 20 sha256sum | sort`;
    expect(await shellText(sum, mounted)).toBe(await shellText(sum, source));
  });

  it("stat -f", async () => {
    expect(await shellText('stat -f -c "%T %l %s" "$1"', mounted)).toBe("fuseblk 255 4096\n");
  });

  it("getfattr", async () => {
    const dump = async (path: string) =>
      (await shell('getfattr --absolute-names -h -d "$1"', path)).stdout.toString("utf8");
    const digest = /="b3:[0-9A-Za-z+/]{43}="/;
    expect(await dump(mounted)).toMatch(/user\.tvix\.castore\.directory\.digest/);
    expect(await dump(mounted)).toMatch(digest);
    expect(await dump(join(mounted, "include/stdio.h"))).toMatch(
      /user\.tvix\.castore\.blob\.digest="b3:/,
    );
    const one = 'getfattr --only-values -n user.tvix.castore.directory.digest "$1"';
    const found = await shellText(one, mounted);
    expect(found).toMatch(/^b3:.{43}=$/);
    expect(await rig.sandbox.text(["ls", found])).toBe("e2e\ninclude");
    const other = await shell('getfattr -n user.other "$1"', mounted);
    expect(other.stderr).toContain("No such attribute");
  });

  it("and cannot change it", async () => {
    const attempts = [
      'touch "$1/new"',
      'rm "$1/include/stdio.h"',
      'echo x >> "$1/include/stdio.h"',
    ];
    const more = [
      'mkdir "$1/d"',
      'chmod 777 "$1"',
      'mv "$1/include" "$1/other"',
      'ln "$1/e2e/package.json" "$1/l"',
    ];
    for (const line of [...attempts, ...more]) {
      const { status, stderr } = await shell(line, mounted);
      expect({ line, failed: status !== 0, stderr }).toMatchObject({
        failed: true,
        stderr: expect.stringContaining("Read-only file system"),
      });
    }
  });

  it("python, by mmap", async () => {
    const script = [
      "import hashlib, mmap, os, sys",
      "for name in sys.argv[1:]:",
      "    with open(name, 'rb') as f, mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ) as m:",
      "        print(hashlib.sha256(m).hexdigest(), hashlib.sha256(m[::-7]).hexdigest())",
    ].join("\n");
    const files = ["include/stdio.h", "include/elf.h", "e2e/package.json"];
    const hashes = async (root: string) => {
      const args = ["-c", script, ...files.map((name) => join(root, name))];
      const { status, stdout, stderr } = await runProgram("/usr/bin/python3", args);
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      return stdout.toString("utf8");
    };
    expect(await hashes(mounted)).toBe(await hashes(source));
  });
});

describe.skipIf(NO_MOUNTS)("programs that are mounted", () => {
  it("run, and so do their libraries", async () => {
    const { mounted } = await shown("programs", (path) => {
      mkdirSync(path);
      for (const name of ["ls", "sha256sum"]) cpSync(`/usr/bin/${name}`, join(path, name));
      writeFileSync(join(path, "script"), '#!/bin/sh\necho "$1" from the store\n');
      chmodSync(join(path, "script"), 0o755);
    });
    expect(await shellText('"$1/script" hello', mounted)).toBe("hello from the store\n");
    expect(await shellText('"$1/ls" "$1"', mounted)).toBe("ls\nscript\nsha256sum\n");
    const both = await shellText('"$1/sha256sum" < "$1/ls"; sha256sum < "$1/ls"', mounted);
    const [own, other] = both.split("\n");
    expect(own).toBe(other);
  });

  it("are built from sources that are mounted", async () => {
    const { mounted } = await shown("sources", (path) => {
      mkdirSync(join(path, "lib"), { recursive: true });
      writeFileSync(join(path, "lib/greet.h"), "const char *greet(int n);\n");
      writeFileSync(
        join(path, "lib/greet.c"),
        '#include "greet.h"\nconst char *greet(int n) { return n == 42 ? "right" : "wrong"; }\n',
      );
      writeFileSync(
        join(path, "main.c"),
        "#include <stdio.h>\n#include <greet.h>\nint main(void) { return puts(greet(42)) < 0; }\n",
      );
    });
    const out = rig.sandbox.path("built");
    mkdirSync(out);
    await shellText('cc -shared -fPIC -O1 -o "$2/libgreet.so" "$1/lib/greet.c"', mounted, out);
    await shellText(
      `cc -O1 -I"$1/lib" -o "$2/main" "$1/main.c" -L"$2" -lgreet -Wl,-rpath,'$ORIGIN'`,
      mounted,
      out,
    );
    expect(await shellText('"$1/main"', out)).toBe("right\n");
    // Program and library together, from the store.
    const installed = join(store, await rig.import(out));
    expect(await shellText('"$1/main"', installed)).toBe("right\n");
  });
});

describe.skipIf(NO_MOUNTS)("git", () => {
  it("sees an imported checkout as it is", async () => {
    const { mounted } = await shown("checkout", (path) => {
      mkdirSync(join(path, "sub"), { recursive: true });
      writeFileSync(join(path, "one"), "1\n");
      writeFileSync(join(path, "sub/two"), "2\n");
      writeFileSync(join(path, "run"), "#!/bin/sh\n");
      chmodSync(join(path, "run"), 0o755);
      symlinkSync("sub/two", join(path, "link"));
      const setUp = [
        ["init", "-q"],
        ["add", "."],
        ["commit", "-q", "-m", "all"],
        ["gc", "-q"],
      ];
      for (const args of setUp) execFileSync("git", args, { cwd: path, env: GIT_ENV });
    });
    const git = (args: string) => shellText(`git -c safe.directory='*' -C "$1" ${args}`, mounted);
    expect(await git("status --porcelain")).toBe("");
    expect(await git("fsck --no-progress")).toBe("");
    expect(await git("ls-files")).toBe("link\none\nrun\nsub/two\n");
    expect(await git("show --stat --format=%s")).toContain("4 files changed");
  });
});

describe.skipIf(NO_MOUNTS)("what is mounted", () => {
  it("is what is imported while it is mounted", async () => {
    const early = await shell('ls "$1"/00000000000000000000000000000000-nothing', store);
    expect(early.status).not.toBe(0);
    const { source, mounted } = await shown("late", (path) => writeFileSync(path, "late\n"));
    expect(await shellText('cat "$1"', mounted)).toBe("late\n");
    expect(source).toMatch(/late$/);
    expect(await shellText('ls "$1"', store)).toContain("-late\n");
  });

  it("has the names of store paths, and no others", async () => {
    const { mounted } = await shown("named", (path) => writeFileSync(path, "x"));
    expect((await shell('ls -d "$1"', mounted)).status).toBe(0);
    expect((await shell('ls -d "$1"', mounted.replace(/named$/, "other"))).status).not.toBe(0);
    expect((await shell('ls -d "$1"', mounted.replace(/-named$/, ""))).status).not.toBe(0);
  });
});
