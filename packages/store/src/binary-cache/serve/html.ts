import { toUtf8 } from "@tvix/castore";

/** Text as it stands in an element or in a quoted attribute. */
export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

const STYLE = `
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem }
h1 { font-size: 1.1rem; overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100% }
th { text-align: left; font-weight: 600 }
td, th { padding: .15rem .75rem .15rem 0; vertical-align: top; border-bottom: 1px solid #8883 }
td:first-child { white-space: pre-wrap; overflow-wrap: anywhere }
td:nth-child(2) { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
td:last-child, footer { color: #777; overflow-wrap: anywhere }
a { text-decoration: none } a:hover { text-decoration: underline }
:root { color-scheme: light dark }
`;

/** What stands before the content of every page that we write. @param title - plain text */
export function pageHead(title: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
`;
}

export const PAGE_END = "</body>\n</html>\n";

/** Headers of a page that we write: no script, no form, no frame, nothing from elsewhere. */
export const PAGE_HEADERS = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy":
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
  "cache-control": "no-cache",
  vary: "accept",
} as const;

/** A page that says one thing. @param line - plain text */
export function messagePage(title: string, line: string): Uint8Array {
  const [heading, text] = [escapeHtml(title), escapeHtml(line)];
  return toUtf8(`${pageHead(title)}<h1>${heading}</h1>\n<p>${text}</p>\n${PAGE_END}`);
}
