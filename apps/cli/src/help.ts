import type { Command, OptionSpecs } from "./command.js";
import { GLOBAL_OPTIONS } from "./global-options.js";
import type { TableEntry } from "./table.js";

/** Lines are at most this long, unless they hold a word or an example that is longer. */
const WIDTH = 80;

/** What `tvix --help` prints. */
export function programHelp(commands: readonly TableEntry[]): string {
  const rows = commands.map(({ name, summary }) => [name, summary] as const);
  return sections([
    ["", ["tvix - content-addressed storage for file trees, with the store paths of Nix"]],
    ["Usage", ["  tvix COMMAND [OPTION...] [ARGUMENT...]"]],
    ["Commands", table(rows)],
    ["Options", optionRows(GLOBAL_OPTIONS)],
    ["Files", FILES],
    ["Exit status", EXIT_STATUS],
    [
      "Example",
      [
        "  tvix import ./project",
        "      Stores a directory and prints its path, /nix/store/HASH-project",
      ],
    ],
    ["", ["tvix COMMAND --help explains a command."]],
  ]);
}

/** What `tvix NAME --help` prints. */
export function commandHelp(entry: TableEntry, command: Command): string {
  const { usage } = command.arguments;
  return sections([
    ["", [`tvix ${entry.name} - ${entry.summary}`]],
    ["Usage", [`  tvix ${entry.name} [OPTION...]${usage === "" ? "" : ` ${usage}`}`]],
    ...command.description.map((text) => ["", paragraph(text)] as const),
    ["Options", optionRows({ ...command.options, ...GLOBAL_OPTIONS })],
    [
      command.examples.length === 1 ? "Example" : "Examples",
      command.examples.flatMap(({ line, meaning }) => [`  ${line}`, `      ${meaning}`]),
    ],
  ]);
}

const FILES = [
  "  The store is in one directory: that of --data-dir, else $TVIX_DATA_DIR, else",
  "  $XDG_DATA_HOME/tvix, else /var/lib/tvix for root and ~/.local/share/tvix for",
  "  everyone else. When a daemon serves that directory, commands go through it.",
  "",
  "  Another store is named by --store or $TVIX_STORE: grpc+http://HOST:PORT,",
  "  grpc+https://HOST:PORT or grpc+unix:///PATH for a daemon, local:///DIR for a",
  "  directory without a look for its daemon. A token for the daemon is read from",
  "  the file of --token-file or $TVIX_TOKEN_FILE.",
  "",
  "  Stores are put together by cache:?near=ADDR&far=ADDR, by addresses of single",
  "  services ($BLOB_SERVICE_ADDR, $DIRECTORY_SERVICE_ADDR and",
  "  $PATH_INFO_SERVICE_ADDR) or by the file of --composition or $TVIX_COMPOSITION;",
  "  tvix config print shows what is used.",
];

const EXIT_STATUS = table([
  ["0", "success, also when the reader of the output stopped reading"],
  ["1", "the command failed"],
  ["2", "the command line is wrong"],
  ["3", "what was named does not exist"],
  ["4", "stored data is damaged"],
  ["130", "interrupted (Ctrl-C); 128 + N after signal N"],
]);

type Section = readonly [title: string, lines: readonly string[]];

function sections(all: readonly Section[]): string {
  return all
    .filter(([, lines]) => lines.length > 0)
    .map(([title, lines]) => [...(title === "" ? [] : [`${title}:`]), ...lines].join("\n"))
    .join("\n\n");
}

function optionRows(options: OptionSpecs): readonly string[] {
  return table(
    Object.entries(options).map(([name, { short, value, summary }]) => {
      const left = short === undefined ? "    " : `-${short}, `;
      return [`${left}--${name}${value === undefined ? "" : ` ${value}`}`, summary];
    }),
  );
}

function table(rows: readonly (readonly [string, string])[]): readonly string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.flatMap(([left, right]) => {
    const lines = wrap(right, WIDTH - width - 4);
    return lines.map((line, i) => `  ${(i === 0 ? left : "").padEnd(width)}  ${line}`);
  });
}

function paragraph(text: string): readonly string[] {
  return text.split("\n").flatMap((line) => (line.startsWith(" ") ? [line] : wrap(line, WIDTH)));
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = "";
    }
    line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
