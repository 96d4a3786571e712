import type { DirectorySizeRule } from "@tvix/castore";
import { quote } from "../args/quote.js";
import { UsageError } from "../exit.js";

/** What `--directory-size-rule` takes; the first is the default. */
export const SIZE_RULES: readonly [DirectorySizeRule, ...DirectorySizeRule[]] = [
  "documented",
  "doubled",
];

/**
 * The rule of that name; without one, the default.
 *
 * @throws {@link UsageError}
 */
export function parseSizeRule(name: string | undefined): DirectorySizeRule {
  if (name === undefined) return SIZE_RULES[0];
  const rule = SIZE_RULES.find((candidate) => candidate === name);
  if (rule !== undefined) return rule;
  const rules = SIZE_RULES.join(" or ");
  throw new UsageError(`option --directory-size-rule needs ${rules}, not ${quote(name)}`);
}
