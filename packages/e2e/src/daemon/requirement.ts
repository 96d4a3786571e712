/**
 * Why a test that needs something of the machine is skipped, said on standard error; `undefined`
 * when it is there. On a build server nothing may be missing.
 */
export function skipReason(isThere: boolean, what: string): string | undefined {
  if (isThere) return undefined;
  const server = process.env["CI"];
  if (server !== undefined && !["", "0", "false"].includes(server)) {
    throw new Error(`These tests need ${what}`);
  }
  const reason = `${what} is not installed`;
  process.stderr.write(`skipped: ${reason}\n`);
  return reason;
}
