/** Float32 sums in several orders: each is legitimate, and each rounds differently. */
export type Sum = (terms: readonly number[]) => number;

const f = Math.fround;

const forward: Sum = (terms) => terms.reduce((sum, term) => f(sum + f(term)), 0);

const pairwise: Sum = (terms) => {
  if (terms.length < 2) return f(terms[0] ?? 0);
  const middle = terms.length >> 1;
  return f(pairwise(terms.slice(0, middle)) + pairwise(terms.slice(middle)));
};

/** The order of a vector unit with eight lanes. */
const chunked: Sum = (terms) =>
  forward(Array.from({ length: 8 }, (_, lane) => forward(terms.filter((_, i) => i % 8 === lane))));

export const orders: Readonly<Record<string, Sum>> = {
  forward,
  reverse: (terms) => forward(terms.toReversed()),
  pairwise,
  chunked,
};
