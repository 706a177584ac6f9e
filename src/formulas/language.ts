/**
 * A small language for the formulas of a layer, close to how they are written on paper.
 *
 *     xhat[n,c,s] = (x − mean) · rstd
 *     dgamma[c] = Σ_ns dout · xhat
 *
 * Each line defines a quantity over named axes of one letter. A quantity without subscripts has the axes of its
 * definition, and each operand is broadcast over the axes that it lacks. A subscript is an axis (`n`), an axis shifted by
 * one (`t−1`), an index (`0`), or a quantity that holds indices, where −1 stands for "outside": `x[n,c,at]` with
 * `at[p,k]` is what a window sees. Outside elements are skipped. On the left, `+=` adds the values to the elements that
 * their subscripts name. `first_n` and `last_n` keep one element of a body: what an assignment leaves of a sum.
 */
export type Subscript =
  | {
      readonly axis: string;
      readonly shift: number;
      readonly reversed?: boolean;
      /** Elements from one index to the next, if that is wrong. */
      readonly stride?: number;
    }
  | { readonly table: string }
  | { readonly index: number };

export interface Numeral {
  readonly kind: 'number';
  readonly value: number;
}

export interface Reference {
  readonly kind: 'name';
  readonly name: string;
  readonly at?: readonly Subscript[];
}

export interface Term {
  readonly sign: 1 | -1;
  readonly node: Node;
}

export interface Sum {
  readonly kind: 'sum';
  readonly terms: readonly Term[];
}

export interface Factor {
  readonly node: Node;
  readonly power: number;
}

export interface Product {
  readonly kind: 'product';
  readonly factors: readonly Factor[];
}

export interface Call {
  readonly kind: 'call';
  readonly name: string;
  readonly argument: Node;
}

/** How a reduction goes over its axes. `first` and `last` keep one element: what an assignment leaves of a sum. */
export type How = 'Σ' | 'first' | 'last' | 'argmax' | 'argmaxLast' | 'argmin' | 'argmaxMagnitude';

export interface Reduction {
  readonly kind: 'reduce';
  readonly how: How;
  readonly axes: string;
  readonly body: Node;
  /** Elements left out at the start and at the end of each axis. */
  readonly skipped?: readonly [start: number, end: number];
}

/** The body where its index along an axis is in a range, 0 elsewhere: what a loop leaves that starts late or ends early. */
export interface Cut {
  readonly kind: 'cut';
  readonly axis: string;
  readonly skipped: readonly [start: number, end: number];
  readonly body: Node;
}

export type Node = Numeral | Reference | Sum | Product | Call | Reduction | Cut;

/** One line: the definition of a quantity. */
export interface Step {
  readonly target: string;
  readonly axes: string;
  /** Where the values go, if not to the elements with their own axes. */
  readonly at?: readonly Subscript[];
  readonly adds: boolean;
  readonly value: Node;
}

/** The axes in a string of their letters. */
export function lettersOf(axes: string): readonly string[] {
  let known = letters.get(axes);
  if (!known) letters.set(axes, (known = axes.split('')));
  return known;
}

const letters = new Map<string, readonly string[]>();

const TOKEN =
  /\s*(?:(\d+(?:\.\d+)?)|(Σ|first|last|argmaxLast|argmin|argmax)_([a-z]+)|([A-Za-z_σ]\w*)|(\+=|[-+−·*/=()[\],²³√]))/gy;

type Token =
  { readonly number: number } | { readonly how: How; readonly axes: string } | { readonly word: string } | string;

function tokens(text: string): Token[] {
  const found: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.trimEnd().length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (!match) throw new SyntaxError(`${text}: unexpected "${text.slice(at)}"`);
    const [, number, how, axes, word, sign] = match;
    if (number) found.push({ number: Number(number) });
    else if (how) found.push({ how: how as How, axes });
    else if (word) found.push({ word });
    else found.push(sign === '−' ? '-' : sign === '*' ? '·' : sign);
  }
  return found;
}

const CALLS = new Set(['σ', 'hard_sigmoid', 'tanh', 'relu', 'positive', 'exp', 'inverse_root']);

class Parser {
  private at = 0;
  private readonly tokens: readonly Token[];

  constructor(
    private readonly text: string,
    private readonly axes: string,
  ) {
    this.tokens = tokens(text);
  }

  step(): Step {
    const target = this.word();
    const at = this.subscripts() ?? [];
    const adds = this.takes('+=');
    if (!adds) this.expect('=');
    const value = this.sum();
    if (this.at < this.tokens.length) throw this.unexpected();
    const isPlain = at.every((each) => 'axis' in each && each.shift === 0);
    const axes = isPlain ? at.map((each) => ('axis' in each ? each.axis : '')).join('') : '';
    return { target, axes, adds, value, ...(isPlain ? {} : { at }) };
  }

  private sum(): Node {
    const terms: Term[] = [{ sign: this.takes('-') ? -1 : 1, node: this.product() }];
    for (;;) {
      if (this.takes('+')) terms.push({ sign: 1, node: this.product() });
      else if (this.takes('-')) terms.push({ sign: -1, node: this.product() });
      else break;
    }
    return terms.length === 1 && terms[0].sign === 1 ? terms[0].node : { kind: 'sum', terms };
  }

  private product(): Node {
    const factors: Factor[] = [this.power(1)];
    for (;;) {
      if (this.takes('·')) factors.push(this.power(1));
      else if (this.takes('/')) factors.push(this.power(-1));
      else break;
    }
    return factors.length === 1 && factors[0].power === 1 ? factors[0].node : { kind: 'product', factors };
  }

  private power(sign: number): Factor {
    const node = this.atom();
    if (this.takes('²')) return { node, power: 2 * sign };
    if (this.takes('³')) return { node, power: 3 * sign };
    return { node, power: sign };
  }

  private atom(): Node {
    const token = this.tokens[this.at++];
    if (token === '(') {
      const inner = this.sum();
      this.expect(')');
      return inner;
    }
    if (token === '√') return { kind: 'call', name: '√', argument: this.atom() };
    if (typeof token === 'object') {
      if ('number' in token) return { kind: 'number', value: token.number };
      if ('how' in token) return { kind: 'reduce', how: token.how, axes: token.axes, body: this.product() };
      if (CALLS.has(token.word)) return { kind: 'call', name: token.word, argument: this.atom() };
      const at = this.subscripts();
      return { kind: 'name', name: token.word, ...(at ? { at } : {}) };
    }
    this.at--;
    throw this.unexpected();
  }

  private subscripts(): Subscript[] | undefined {
    if (!this.takes('[')) return undefined;
    const found: Subscript[] = [];
    do found.push(this.subscript());
    while (this.takes(','));
    this.expect(']');
    return found;
  }

  private subscript(): Subscript {
    const token = this.tokens[this.at];
    if (typeof token === 'object' && 'number' in token) {
      this.at++;
      return { index: token.number };
    }
    const word = this.word();
    if (word.length > 1 || !this.axes.includes(word)) return { table: word };
    const sign = this.takes('+') ? 1 : this.takes('-') ? -1 : 0;
    if (sign !== 0) {
      const by = this.tokens[this.at++];
      if (typeof by !== 'object' || !('number' in by) || by.number !== 1) throw this.unexpected();
    }
    return { axis: word, shift: sign };
  }

  private word(): string {
    const token = this.tokens[this.at++];
    if (typeof token === 'object' && 'word' in token) return token.word;
    this.at--;
    throw this.unexpected();
  }

  private takes(sign: string): boolean {
    if (this.tokens[this.at] !== sign) return false;
    this.at++;
    return true;
  }

  private expect(sign: string): void {
    if (!this.takes(sign)) throw this.unexpected();
  }

  private unexpected(): SyntaxError {
    return new SyntaxError(`${this.text}: unexpected ${JSON.stringify(this.tokens[this.at] ?? 'end')}`);
  }
}

/**
 * @param axes the letters that are axes in subscripts
 * @throws {SyntaxError}
 */
export function parse(text: string, axes: string): Step {
  return new Parser(text, axes).step();
}

/** The nodes directly below a node. */
export function childrenOf(node: Node): readonly Node[] {
  switch (node.kind) {
    case 'sum':
      return node.terms.map((term) => term.node);
    case 'product':
      return node.factors.map((factor) => factor.node);
    case 'call':
      return [node.argument];
    case 'reduce':
    case 'cut':
      return [node.body];
    default:
      return [];
  }
}

/** The names of all quantities that a node reads, those in subscripts too. */
export function namesIn(node: Node, names = new Set<string>()): Set<string> {
  if (node.kind === 'name') {
    names.add(node.name);
    for (const each of node.at ?? []) if ('table' in each) names.add(each.table);
  }
  for (const child of childrenOf(node)) namesIn(child, names);
  return names;
}

/** The node with one of its parts replaced; parts are compared by identity. */
export function replaced(node: Node, part: Node, by: Node): Node {
  if (node === part) return by;
  switch (node.kind) {
    case 'sum': {
      const terms = node.terms.map((term) => ({ ...term, node: replaced(term.node, part, by) }));
      return terms.some((term, i) => term.node !== node.terms[i].node) ? { kind: 'sum', terms } : node;
    }
    case 'product': {
      const factors = node.factors.map((factor) => ({ ...factor, node: replaced(factor.node, part, by) }));
      return factors.some((factor, i) => factor.node !== node.factors[i].node) ? { kind: 'product', factors } : node;
    }
    case 'call': {
      const argument = replaced(node.argument, part, by);
      return argument === node.argument ? node : { ...node, argument };
    }
    case 'reduce':
    case 'cut': {
      const body = replaced(node.body, part, by);
      return body === node.body ? node : { ...node, body };
    }
    default:
      return node;
  }
}

/** The node with its references changed. It is the same node if none is. */
export function withReferences(node: Node, of: (reference: Reference) => Reference): Node {
  if (node.kind === 'name') return of(node);
  const before = childrenOf(node);
  const after = before.map((child) => withReferences(child, of));
  if (after.every((child, i) => child === before[i])) return node;
  switch (node.kind) {
    case 'sum':
      return { ...node, terms: node.terms.map((term, i) => ({ ...term, node: after[i] })) };
    case 'product':
      return { ...node, factors: node.factors.map((factor, i) => ({ ...factor, node: after[i] })) };
    case 'call':
      return { ...node, argument: after[0] };
    case 'reduce':
    case 'cut':
      return { ...node, body: after[0] };
    case 'number':
      return node;
  }
}

/** The axes of the values of a node, each once. */
export function axesOfNode(node: Node, axesOf: (name: string) => string): string {
  if (node.kind === 'name') return axesOfReference(node, axesOf);
  const below = [...new Set(childrenOf(node).flatMap((child) => lettersOf(axesOfNode(child, axesOf))))];
  if (node.kind === 'cut' && !below.includes(node.axis)) below.push(node.axis);
  return below.filter((axis) => node.kind !== 'reduce' || !node.axes.includes(axis)).join('');
}

function axesOfReference({ name, at }: Reference, axesOf: (name: string) => string): string {
  if (!at) return axesOf(name);
  const letters = at.flatMap((each) => {
    if ('axis' in each) return [each.axis];
    return 'table' in each ? lettersOf(axesOf(each.table)) : [];
  });
  return [...new Set(letters)].join('');
}
