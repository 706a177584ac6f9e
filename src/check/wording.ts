/**
 * Words sentences for one instance. They do not mention tensors that the instance lacks, or options that have no effect
 * in it (such as a padding of 0), and formulas leave out their terms.
 */

/** The names by which an option appears in formulas. */
const TERMS: Readonly<Record<string, readonly string[]>> = { padding: ['before', 'after', 'padding'] };

/** The names in the id of a mistake, longest match first: `output_padding_forgotten` names only output_padding. */
export function namesInId(id: string, names: readonly string[]): string[] {
  let rest = `_${id}_`;
  return names
    .toSorted((a, b) => b.length - a.length)
    .filter((name) => {
      const before = rest;
      rest = rest.replaceAll(`_${name}_`, '__');
      return rest !== before;
    });
}

/** How sentences about one instance are worded. */
export interface Wording {
  /** Whether a sentence mentions something that is absent. */
  readonly isStray: (sentence: string) => boolean;
  /** Leaves out absent terms and factors: without a bias, x · weightᵀ + bias becomes x · weightᵀ. */
  readonly apt: (sentence: string) => string;
}

export function wordingWithout(absent: ReadonlySet<string>): Wording {
  if (absent.size === 0) return { isStray: () => false, apt: (sentence) => sentence };
  // `dout` is in "dout was dropped" and in `dout_t`, not in `ddout` or `my_dout`.
  const anyOf = (names: Iterable<string>, after = '') =>
    `(?<![A-Za-z0-9_])(?:${[...names].join('|')})${after}(?![A-Za-z0-9])`;
  const mention = new RegExp(anyOf(absent), 'iu');
  const term = anyOf(
    [...absent].flatMap((name) => TERMS[name] ?? [name]),
    '(?:_t|\\[[a-z]\\])?',
  );
  const [summand, factor, dividend, divisor] = [
    ` [·+−] ${term}(?! [·/])`,
    `${term} [·+] `,
    `${term} / `,
    `/(?:${[...absent].join('|')})(?![A-Za-z0-9_])`,
  ].map((pattern) => new RegExp(pattern, 'gu'));
  return {
    isStray: (sentence) => mention.test(sentence),
    apt: (sentence) => sentence.replace(summand, '').replace(factor, '').replace(dividend, '1 / ').replace(divisor, ''),
  };
}

/** The clauses of a sentence that says when a mistake is hidden. */
export const clausesOf = (sentence: string): string[] => sentence.split(', or ');

/** Whether a clause says that an option has no effect, such as `groups is 1`. */
export function isIdleClause(clause: string, options: readonly string[]): boolean {
  return options.some((name) => clause === `${name} is 0` || clause === `${name} is 1`);
}
