/** Slips in sums, products, functions and numbers. */
import type { Call, Node, Numeral, Product, Reference, Sum } from './language.js';
import type { Slip } from './slip.js';
import { textOf } from './text.js';

const ONE: Node = { kind: 'number', value: 1 };

const FUNCTION_NAMES = ['σ', 'tanh', 'relu', 'hard_sigmoid', 'positive'];

export function* signOf(node: Node, parent: Node | undefined): Generator<Slip> {
  // In a sum, a product or a reduction, the sign belongs to the term or to the whole.
  if (parent && parent.kind !== 'call') return;
  yield {
    kind: 'sign',
    id: 'wrong_sign',
    by: { kind: 'sum', terms: [{ sign: -1, node }] },
    wrong: parent
      ? `the sign of ${textOf(node)} is wrong: it was negated`
      : 'the sign is wrong: the result was negated',
    fix: `use ${textOf(node)}, not its negative`,
  };
}

/** a − b: its negative is the difference the other way round. */
export const isDifference = ({ terms }: Sum) => terms.length === 2 && terms[0].sign !== terms[1].sign;

export function* ofSum(node: Sum): Generator<Slip> {
  for (const [i, { sign, node: term }] of node.terms.entries()) {
    const name = textOf(term);
    const others = node.terms.filter((_, k) => k !== i);
    yield {
      kind: 'sign',
      id: 'wrong_sign',
      part: term,
      by: {
        kind: 'sum',
        terms: node.terms.map((each, k) => (k === i ? { ...each, sign: sign === 1 ? -1 : 1 } : each)),
      },
      wrong: `the sign of the term ${name} is wrong: it was ${sign > 0 ? 'subtracted' : 'added'}`,
      fix: `${sign > 0 ? 'add' : 'subtract'} ${name}`,
    };
    if (node.terms.length > 1)
      yield {
        kind: 'missing',
        id: 'missing_term',
        part: term,
        by: { kind: 'sum', terms: others },
        wrong: `the term ${name} is missing`,
        fix: `${sign > 0 ? 'add' : 'subtract'} ${name}`,
      };
    if (term.kind !== 'number')
      yield {
        kind: 'twice',
        id: 'term_twice',
        part: term,
        by: { kind: 'sum', terms: [...node.terms, { sign, node: term }] },
        wrong: `the term ${name} is ${sign > 0 ? 'added' : 'subtracted'} twice`,
        fix: `${sign > 0 ? 'add' : 'subtract'} ${name} once`,
      };
  }
  if (node.terms.length === 2) {
    const [first, second] = node.terms;
    if (isDifference(node))
      yield {
        kind: 'sign',
        id: 'wrong_sign',
        by: { kind: 'sum', terms: [{ sign: -1, node }] },
        wrong: `the sign of ${textOf(node)} is wrong: the operands of the difference are exchanged`,
        fix: `use ${textOf(node)}, not its negative`,
      };
    yield {
      kind: 'grouping',
      id: 'product_instead_of_sum',
      by: { kind: 'product', factors: node.terms.map((term) => ({ node: term.node, power: 1 })) },
      wrong: `${textOf(first.node)} and ${textOf(second.node)} were multiplied, not ${second.sign > 0 ? 'added' : 'subtracted'}`,
      fix: `compute ${textOf(node)}`,
    };
  }
}

export function* ofProduct(node: Product): Generator<Slip> {
  for (const [i, { node: factor, power }] of node.factors.entries()) {
    const name = textOf({ kind: 'product', factors: [{ node: factor, power: Math.abs(power) }] });
    const others = node.factors.filter((_, k) => k !== i);
    const withPower = (other: number): Node => ({
      kind: 'product',
      factors: node.factors.map((each, k) => (k === i ? { ...each, power: other } : each)),
    });
    const divides = power < 0;
    yield {
      kind: 'missing',
      id: divides ? 'missing_division' : 'missing_factor',
      part: factor,
      by:
        others.length === 0
          ? ONE
          : {
              kind: 'product',
              factors: others.some(({ power }) => power > 0) ? others : [{ node: ONE, power: 1 }, ...others],
            },
      wrong: divides ? `the division by ${name} is missing` : `the factor ${name} is missing`,
      fix: divides ? `divide by ${name}` : `multiply by ${name}`,
    };
    if (Math.abs(power) > 1)
      yield {
        kind: 'missing',
        id: 'wrong_power',
        part: factor,
        by: withPower(power - Math.sign(power)),
        wrong: `${textOf(factor)} has the power ${Math.abs(power) - 1} instead of ${Math.abs(power)}`,
        fix: `use ${name}`,
      };
    yield {
      kind: 'twice',
      id: divides ? 'divided_twice' : 'factor_twice',
      part: factor,
      by: withPower(power + Math.sign(power)),
      wrong: divides ? `the product is divided by ${name} once too often` : `the factor ${name} appears once too often`,
      fix: divides ? `divide by ${name} once` : `multiply by ${name} once`,
    };
    yield {
      kind: 'inverted',
      id: divides ? 'multiplied_instead_of_divided' : 'divided_instead_of_multiplied',
      part: factor,
      by: withPower(-power),
      wrong: divides
        ? `the product is multiplied by ${name} instead of divided by it`
        : `the product is divided by ${name} instead of multiplied by it`,
      fix: divides ? `divide by ${name}` : `multiply by ${name}`,
    };
    if (factor.kind === 'sum' && node.factors.length > 1) yield* ungrouped(node, i);
    else if (i > 0 && power === 1 && factor.kind !== 'number') {
      // A sum where the product was meant.
      const before: Node = { kind: 'product', factors: node.factors.slice(0, i) };
      const after = node.factors.slice(i);
      for (const sign of [1, -1] as const)
        yield {
          kind: 'grouping',
          id: 'sum_instead_of_product',
          part: factor,
          by: {
            kind: 'sum',
            terms: [
              { sign: 1, node: before },
              { sign, node: { kind: 'product', factors: after } },
            ],
          },
          wrong: `${name} was ${sign > 0 ? 'added' : 'subtracted'} where it should be multiplied`,
          fix: `multiply by ${name}`,
        };
    }
  }
}

/** (a + b) · c written as a + b · c, or as a · c + b. */
function* ungrouped(node: Product, at: number): Generator<Slip> {
  const { node: sum, power } = node.factors[at];
  if (sum.kind !== 'sum' || power !== 1 || node.factors.some((each) => each.power < 0)) return;
  const others = node.factors.filter((_, k) => k !== at);
  for (const inside of sum.terms.keys())
    yield {
      kind: 'grouping',
      id: 'missing_parentheses',
      part: sum,
      by: {
        kind: 'sum',
        terms: sum.terms.map((term, k) =>
          k === inside
            ? { ...term, node: { kind: 'product', factors: [{ node: term.node, power: 1 }, ...others] } }
            : term,
        ),
      },
      wrong: `the parentheses around ${textOf(sum)} are missing: only ${textOf(sum.terms[inside].node)} is multiplied`,
      fix: `multiply all of (${textOf(sum)})`,
    };
}

export function* ofCall(node: Call): Generator<Slip> {
  const { name, argument } = node;
  const called = textOf(node);
  yield {
    kind: 'missing',
    id: name === '√' ? 'missing_root' : 'missing_function',
    by: argument,
    wrong: name === '√' ? `the square root is missing` : `${name} was not applied to ${textOf(argument)}`,
    fix: `use ${called}`,
  };
  if (FUNCTION_NAMES.includes(name))
    for (const other of FUNCTION_NAMES) {
      if (other === name) continue;
      yield {
        kind: 'function',
        id: 'wrong_function',
        by: { kind: 'call', name: other, argument },
        wrong: `${other}(${textOf(argument)}) was used instead of ${called}`,
        fix: `use ${called}`,
      };
    }
  const slope = slopeOf(node);
  if (slope)
    yield {
      kind: 'function',
      id: 'derivative_instead_of_function',
      by: slope,
      wrong: `the derivative of ${name} was used instead of ${called}`,
      fix: `use ${called}`,
    };
  yield {
    kind: 'twice',
    id: 'function_twice',
    by: { ...node, argument: node },
    wrong: `${name} was applied twice`,
    fix: `use ${called}`,
  };
  if (argument.kind === 'sum')
    for (const [i, term] of argument.terms.entries()) {
      const inside = argument.terms.filter((_, k) => k !== i);
      if (inside.length === 0) continue;
      yield {
        kind: 'grouping',
        id: 'outside_function',
        part: term.node,
        by: { kind: 'sum', terms: [{ sign: 1, node: { ...node, argument: { kind: 'sum', terms: inside } } }, term] },
        wrong: `${textOf(term.node)} was ${term.sign > 0 ? 'added' : 'subtracted'} outside ${name}, after it was applied`,
        fix: `${term.sign > 0 ? 'add' : 'subtract'} ${textOf(term.node)} before ${name} is applied`,
      };
    }
}

function slopeOf(node: Call): Node | undefined {
  const less = (power: number): Node => ({
    kind: 'sum',
    terms: [
      { sign: 1, node: ONE },
      { sign: -1, node: { kind: 'product', factors: [{ node, power }] } },
    ],
  });
  if (node.name === 'tanh') return less(2);
  if (node.name === 'relu') return { ...node, name: 'positive' };
  if (node.name !== 'σ') return undefined;
  return {
    kind: 'product',
    factors: [
      { node, power: 1 },
      { node: less(1), power: 1 },
    ],
  };
}

/** 1 − y², the derivative of tanh, written as that of σ. */
export function* ofDerivative(node: Sum): Generator<Slip> {
  const [one, square] = node.terms;
  if (node.terms.length !== 2 || one.node.kind !== 'number' || square.node.kind !== 'product') return;
  const [{ node: y, power }] = square.node.factors;
  if (power !== 2 || square.node.factors.length !== 1) return;
  yield {
    kind: 'function',
    id: 'wrong_derivative',
    by: {
      kind: 'product',
      factors: [
        { node: y, power: 1 },
        { node: { kind: 'sum', terms: [one, { sign: -1, node: y }] }, power: 1 },
      ],
    },
    wrong: `the derivative of σ, ${textOf(y)} · (1 − ${textOf(y)}), was used instead of that of tanh`,
    fix: `use ${textOf(node)}`,
  };
}

/** y · (1 − y), the derivative of σ, written as that of tanh. */
export function* ofSigmoidDerivative(node: Product): Generator<Slip> {
  for (const [i, { node: y }] of node.factors.entries()) {
    const rest = node.factors.at(i + 1)?.node;
    if (rest?.kind !== 'sum' || rest.terms.length !== 2 || textOf(rest.terms[1].node) !== textOf(y)) continue;
    const square: Node = { kind: 'product', factors: [{ node: y, power: 2 }] };
    const tanh: Node = { kind: 'sum', terms: [rest.terms[0], { sign: -1, node: square }] };
    yield {
      kind: 'function',
      id: 'wrong_derivative',
      part: rest,
      by: {
        kind: 'product',
        factors: [...node.factors.slice(0, i), { node: tanh, power: 1 }, ...node.factors.slice(i + 2)],
      },
      wrong: `the derivative of tanh, 1 − ${textOf(y)}², was used instead of that of σ`,
      fix: `multiply by ${textOf(y)} · (1 − ${textOf(y)})`,
    };
  }
}

/** A name that is not a factor of a product may have been multiplied by itself. */
export function* ofLoneName(node: Reference, parent: Node | undefined): Generator<Slip> {
  if (parent?.kind === 'product') return;
  yield {
    kind: 'twice',
    id: 'squared',
    by: { kind: 'product', factors: [{ node, power: 2 }] },
    wrong: `${textOf(node)} was squared`,
    fix: `use ${textOf(node)} itself`,
  };
}

export function* ofNumber(node: Numeral): Generator<Slip> {
  const { value } = node;
  for (const other of new Set([0, 1, 2, 0.5, value + 1, value - 1])) {
    if (other === value) continue;
    yield {
      kind: 'number',
      id: 'wrong_number',
      by: { kind: 'number', value: other },
      wrong: `${other} was used instead of ${value}`,
      fix: `use ${value}`,
    };
  }
}
