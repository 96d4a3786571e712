/** The linters are only worth something while they see these mistakes: rule names come and go. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runProgram } from "./run-program.js";
import { REPOSITORY_ROOT } from "./workspace.js";

const BIN = join(REPOSITORY_ROOT, "node_modules/.bin");
let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tvix-seeded-"));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function write(path: string, content: string): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), content);
}

describe("biome with our configuration", () => {
  async function lint(source: string): Promise<{ exitCode: number; output: string }> {
    const text = await readFile(join(REPOSITORY_ROOT, "biome.json"), "utf8");
    const { vcs: _, ...configuration } = JSON.parse(text) as Record<string, unknown>;
    await write("biome.json", JSON.stringify(configuration));
    await write(
      "packages/p/src/service.ts",
      "export interface Service { put(): Promise<void> }\nexport declare function open(): Service;\n",
    );
    await write("packages/p/src/user.ts", `import { open } from "./service.js";\n${source}\n`);
    const args = ["lint", "--error-on-warnings", "--colors=off", "packages"];
    return runProgram(join(BIN, "biome"), args, { cwd: folder });
  }

  it("accepts code without mistakes", async () => {
    const { exitCode, output } = await lint(
      "export const put = (): Promise<void> => open().put();",
    );
    expect(output).not.toContain("lint/");
    expect(exitCode).toBe(0);
  });

  it.each([
    ["noFloatingPromises", "export function f(): void { open().put(); }"],
    ["noFloatingPromises", "export function f(): void { const s = open(); s.put(); }"],
    ["noMisusedPromises", "export function f(): number { return open().put() ? 1 : 2; }"],
    [
      "noMisusedPromises",
      "export function f(): void { [1].forEach(async () => { await open().put(); }); }",
    ],
    ["noConsole", 'export function f(): void { console.log("debug", open()); }'],
    ["noExplicitAny", "export const f = (x: any): unknown => [x, open()];"],
    ["noNonNullAssertion", "export const f = (x: number[]): unknown => [x[0]!, open()];"],
    ["noDefaultExport", "export default open();"],
  ])("reports %s in: %s", async (rule, source) => {
    const { exitCode, output } = await lint(source);
    expect(output).toContain(`/${rule} `);
    expect(exitCode).toBe(1);
  });
});

describe("knip on a package laid out like ours", () => {
  it("reports dead files, exports and dependencies, and nothing that an entry uses", async () => {
    const exports = { ".": { types: "./dist/index.d.ts", default: "./dist/index.js" } };
    const dependencies = { "left-over": "1.0.0" };
    const manifest = { name: "p", type: "module", exports, dependencies };
    await write("package.json", JSON.stringify(manifest));
    const options = { module: "nodenext", rootDir: "src", outDir: "dist", composite: true };
    const project = { compilerOptions: options, include: ["src"] };
    await write("tsconfig.build.json", JSON.stringify(project));
    await write("src/index.ts", 'export { used } from "./a.js";');
    await write(
      "src/a.ts",
      'import "unlisted";\nexport const used = 1;\nexport const deadExport = 2;',
    );
    await write("src/dead-file.ts", "export const x = 1;");

    const args = ["--tsConfig", "tsconfig.build.json", "--reporter", "json"];
    const { exitCode, output } = await runProgram(join(BIN, "knip"), args, { cwd: folder });
    expect(exitCode).toBe(1);
    expect(output).toContain("dead-file.ts");
    expect(output).toContain('"deadExport"');
    expect(output).toContain('"left-over"');
    expect(output).toContain('"unlisted"');
    expect(output).not.toContain('"used"');
  });
});
