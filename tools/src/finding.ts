/** One broken rule: where, what, and the reason the rule exists. */
export interface Finding {
  /** File and, where it is known, line: `packages/castore/src/digest.ts:12`. */
  readonly where: string;
  /** What is wrong there, as a statement. */
  readonly what: string;
  /** Why the rule exists, so that it can be argued with rather than worked around. */
  readonly why: string;
}

/** A finding as two lines of text, the reason on the second. */
export function formatFinding(finding: Finding): string {
  return `${finding.where}: ${finding.what}\n    Reason: ${finding.why}`;
}
