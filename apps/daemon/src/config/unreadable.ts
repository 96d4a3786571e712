/** Why a file that the configuration names cannot be read, as a problem of the configuration. */
export function unreadable(file: string, error: unknown): string {
  const isAbsent = error instanceof Error && "code" in error && error.code === "ENOENT";
  const reason = error instanceof Error ? error.message : String(error);
  return `${file} cannot be read: ${isAbsent ? "there is no such file" : reason}`;
}
