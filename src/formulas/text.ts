/** Formulas as text, and as TeX with a part of them marked. */
import { lettersOf, type Factor, type Node, type Reference, type Step, type Subscript } from './language.js';

/** How a notation writes each kind of node. */
interface Notation {
  readonly number: (value: number) => string;
  readonly name: (name: string) => string;
  readonly shifted: (name: string, shift: number) => string;
  readonly subscripts: (name: string, at: readonly string[]) => string;
  readonly call: (name: string, argument: string, isCompound: boolean) => string;
  readonly sum: (axes: string, body: string) => string;
  readonly power: (base: string, power: number) => string;
  readonly fraction: (above: string, below: string) => string;
  readonly times: string;
  readonly minus: string;
  readonly group: (inner: string) => string;
}

const SUPERSCRIPTS: Readonly<Record<number, string>> = { 2: '²', 3: '³' };
const HATTED: Readonly<Record<string, string>> = { xhat: 'x̂', dxhat: 'dx̂' };

const isArgmax = (how: string) => how.startsWith('argm');

const text: Notation = {
  number: String,
  name: (name) => HATTED[name] ?? name,
  shifted: (name, shift) => `${name}_(t${shift < 0 ? '−' : '+'}1)`,
  subscripts: (name, at) => `${name}[${at.join(', ')}]`,
  call: (name, argument, isCompound) => (name === '√' && !isCompound ? `√${argument}` : `${name}(${argument})`),
  sum: (axes, body) => `Σ_${axes} ${body}`,
  power: (base, power) => `${base}${SUPERSCRIPTS[power] ?? `^${power}`}`,
  fraction: (above, below) => `${above} / ${below}`,
  times: ' · ',
  minus: '−',
  group: (inner) => `(${inner})`,
};

const TEX_NAMES: Readonly<Record<string, string>> = {
  xhat: String.raw`\hat{x}`,
  dxhat: String.raw`\text{d}\hat{x}`,
  epsilon: String.raw`\varepsilon`,
};

function texName(name: string): string {
  if (name in TEX_NAMES) return TEX_NAMES[name];
  const [base, ...below] = name.split('_');
  const head = base.length === 1 ? base : String.raw`\text{${base}}`;
  return below.length === 0 ? head : String.raw`${head}_{${below.map((part) => String.raw`\text{${part}}`).join(',')}}`;
}

const tex: Notation = {
  number: String,
  name: texName,
  shifted: (name, shift) => String.raw`{${name}}_{t${shift < 0 ? '-' : '+'}1}`,
  subscripts: (name, at) => String.raw`{${name}}_{${at.join(', ')}}`,
  call: (name, argument) => {
    if (name === '√') return String.raw`\sqrt{${argument}}`;
    const known = { σ: String.raw`\sigma`, tanh: String.raw`\tanh` }[name] ?? String.raw`\operatorname{${name}}`;
    return String.raw`${known}(${argument})`;
  },
  sum: (axes, body) => String.raw`\sum_{${lettersOf(axes).join(',')}} ${body}`,
  power: (base, power) => `{${base}}^{${power}}`,
  fraction: (above, below) => String.raw`\frac{${above}}{${below}}`,
  times: String.raw` \, `,
  minus: '-',
  group: (inner) => String.raw`\left(${inner}\right)`,
};

class Writer {
  constructor(
    private readonly notation: Notation,
    private readonly marked: Node | undefined,
  ) {}

  write(node: Node): string {
    const plain = this.plain(node);
    return node === this.marked && this.notation === tex ? String.raw`\boxed{${plain}}` : plain;
  }

  /** In a product: with parentheses if necessary. */
  private factor(node: Node): string {
    const plain = this.plain(node);
    const grouped = ['sum', 'reduce', 'product'].includes(node.kind) ? this.notation.group(plain) : plain;
    return node === this.marked && this.notation === tex ? String.raw`\boxed{${grouped}}` : grouped;
  }

  private plain(node: Node): string {
    const { notation } = this;
    switch (node.kind) {
      case 'number':
        return notation.number(node.value);
      case 'name':
        return this.reference(node);
      case 'call': {
        const argument = this.write(node.argument);
        return notation.call(node.name, argument, node.argument.kind !== 'name');
      }
      case 'sum':
        return node.terms
          .map(({ sign, node: term }, i) => {
            const written = term.kind === 'sum' ? notation.group(this.write(term)) : this.write(term);
            if (i === 0) return sign < 0 ? `${notation.minus}${written}` : written;
            return ` ${sign < 0 ? notation.minus : '+'} ${written}`;
          })
          .join('');
      case 'reduce':
        if (isArgmax(node.how)) return notation.call(`${node.how}_${node.axes}`, this.write(node.body), true);
        return notation.sum(node.axes, this.factorsOf(node.body));
      case 'product':
        return this.product(node.factors);
      case 'cut':
        return this.plain(node.body);
    }
  }

  private factorsOf(node: Node): string {
    return node.kind === 'sum' ? this.factor(node) : this.write(node);
  }

  private product(factors: readonly Factor[]): string {
    const { notation } = this;
    const above = factors.filter(({ power }) => power > 0);
    const below = factors.filter(({ power }) => power < 0);
    // Only the last factor may be a sum over axes without parentheses: it extends to the end of the product.
    const write = ({ node, power }: Factor, isLast: boolean) => {
      const written = node.kind === 'reduce' && isLast && power === 1 ? this.write(node) : this.factor(node);
      return Math.abs(power) === 1 ? written : notation.power(written, Math.abs(power));
    };
    const numerator =
      above.map((each, i) => write(each, below.length === 0 && i === above.length - 1)).join(notation.times) || '1';
    if (below.length === 0) return numerator;
    const denominator = below.map((each) => write(each, false)).join(notation.times);
    return notation.fraction(
      numerator,
      below.length > 1 && notation === text ? notation.group(denominator) : denominator,
    );
  }

  private reference({ name, at }: Reference): string {
    const written = this.notation.name(name);
    if (!at) return written;
    const shift = at.find((each) => 'axis' in each && each.shift !== 0);
    const isPlain = at.every((each) => 'axis' in each && !each.reversed);
    if (isPlain && shift && 'axis' in shift && shift.axis === 't') return this.notation.shifted(written, shift.shift);
    const indices = at.filter((each) => !('axis' in each) || each.reversed === true || !HIDDEN.includes(each.axis));
    if (isPlain || indices.length === 0) return written;
    return this.notation.subscripts(
      written,
      indices.map((each) => this.subscript(each)),
    );
  }

  private subscript(each: Subscript): string {
    if ('table' in each) return this.notation === text ? each.table : texName(each.table);
    if ('index' in each) return String(each.index);
    const shift = each.shift === 0 ? '' : `${each.shift < 0 ? this.notation.minus : '+'}1`;
    return `${each.reversed ? this.notation.minus : ''}${each.axis}${shift}`;
  }

  target({ target, at }: Step): string {
    return at ? this.reference({ kind: 'name', name: target, at }) : this.notation.name(target);
  }
}

/** Axes that formulas on paper leave out. */
const HIDDEN = 'dnt';

const written = new WeakMap<Node, string>();

/** The text of a node, computed once: sentences about all edits of a formula have the same parts in them. */
export function textOf(node: Node): string {
  const known = written.get(node) ?? new Writer(text, undefined).write(node);
  written.set(node, known);
  return known;
}

export function formulaOf(step: Step): string {
  const writer = new Writer(text, undefined);
  return `${writer.target(step)} ${step.adds ? '+=' : '='} ${writer.write(step.value)}`;
}

/** @param marked the part that is boxed */
export function texOf(step: Step, marked?: Node): string {
  const writer = new Writer(tex, marked);
  return `${writer.target(step)} ${step.adds ? String.raw`\mathrel{+}=` : '='} ${writer.write(step.value)}`;
}

/** The target of a step as text, with its subscripts. */
export const targetOf = (step: Step): string => new Writer(text, undefined).target(step);

/** Whether two steps write the same elements of a quantity. */
export const sameSubscripts = (a: Step, b: Step): boolean => targetOf(a) === targetOf(b);
