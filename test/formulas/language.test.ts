import { describe, expect, it } from 'vitest';
import {
  childrenOf,
  namesIn,
  parse,
  replaced,
  type Node,
  type Product,
  type Sum,
} from '../../src/formulas/language.js';

/** With parentheses around every sum, product and reduction, and the sign or the power of each part. */
function grouped(node: Node): string {
  switch (node.kind) {
    case 'number':
      return String(node.value);
    case 'name': {
      const at = node.at?.map((each) => {
        if ('table' in each) return `table ${each.table}`;
        return 'index' in each ? `index ${each.index}` : `${each.axis}${each.shift}`;
      });
      return at ? `${node.name}[${at.join(', ')}]` : node.name;
    }
    case 'sum':
      return `(${node.terms.map(({ sign, node: term }) => `${sign > 0 ? '+' : '-'}${grouped(term)}`).join(' ')})`;
    case 'product':
      return `(${node.factors.map(({ power, node: factor }) => `${grouped(factor)}^${power}`).join(' ')})`;
    case 'call':
      return `${node.name} ${grouped(node.argument)}`;
    case 'reduce':
      return `${node.how}_${node.axes} ${grouped(node.body)}`;
    case 'cut':
      return `${node.axis} without ${node.skipped.join(' and ')} ${grouped(node.body)}`;
  }
}

const AXES = 'dntjrik';
const valueOf = (text: string) => parse(`y = ${text}`, AXES).value;

describe('a formula', () => {
  it.each([
    ['a', 'a'],
    ['0.5', '0.5'],
    ['a + b · c', '(+a +(b^1 c^1))'],
    ['a · b + c', '(+(a^1 b^1) +c)'],
    ['(a + b) · c', '((+a +b)^1 c^1)'],
    ['a − b − c', '(+a -b -c)'],
    ['a − (b − c)', '(+a -(+b -c))'],
    ['−a · b + c', '(-(a^1 b^1) +c)'],
    ['a / b · c', '(a^1 b^-1 c^1)'],
    ['a / b / c', '(a^1 b^-1 c^-1)'],
    ['a / (b · c)', '(a^1 (b^1 c^1)^-1)'],
    ['a · b²', '(a^1 b^2)'],
    ['a / b²', '(a^1 b^-2)'],
    ['a³', '(a^3)'],
    ['(a − b)²', '((+a -b)^2)'],
    ['1 / √(a + b)', '(1^1 √ (+a +b)^-1)'],
    ['√a · b', '(√ a^1 b^1)'],
    ['1 − tanh(c)²', '(+1 -(tanh c^2))'],
    ['σ(a) · relu(b)', '(σ a^1 relu b^1)'],
  ])('%s is grouped as on paper', (text, expected) => {
    expect(grouped(valueOf(text))).toBe(expected);
  });

  it.each([
    ['Σ_i a · b', 'Σ_i (a^1 b^1)'],
    ['Σ_i a · b + c', '(+Σ_i (a^1 b^1) +c)'],
    ['c − Σ_i a', '(+c -Σ_i a)'],
    ['Σ_i a / b', 'Σ_i (a^1 b^-1)'],
    ['(Σ_i a) / b', '(Σ_i a^1 b^-1)'],
    ['c · Σ_nt a · b', '(c^1 Σ_nt (a^1 b^1)^1)'],
    ['Σ_i a · Σ_k b · c', 'Σ_i (a^1 Σ_k (b^1 c^1)^1)'],
    ['Σ_i (a + b)', 'Σ_i (+a +b)'],
    ['argmax_k a', 'argmax_k a'],
  ])('%s sums a whole product, and no more', (text, expected) => {
    expect(grouped(valueOf(text))).toBe(expected);
  });

  it.each([
    ['h[d,n,t−1,j]', 'h[d0, n0, t-1, j0]'],
    ['h[d,n,t+1,j]', 'h[d0, n0, t1, j0]'],
    ['h[d,n,0,j]', 'h[d0, n0, index 0, j0]'],
    ['h[d,n,last,j]', 'h[d0, n0, table last, j0]'],
    ['z[d,n,t,row_f]', 'z[d0, n0, t0, table row_f]'],
    ['w[i] · w[k]', '(w[i0]^1 w[k0]^1)'],
  ])('%s reads what its subscripts name', (text, expected) => {
    expect(grouped(valueOf(text))).toBe(expected);
  });

  it('can have a table whose name consists of letters of axes', () => {
    expect(grouped(parse('y[a] = x[at]', 'at').value)).toBe('x[table at]');
  });

  it('can be written in ASCII', () => {
    expect(valueOf('a*b - c')).toEqual(valueOf('a · b − c'));
    expect(valueOf('h[t-1]')).toEqual(valueOf('h[t−1]'));
  });

  it('defines a quantity over axes', () => {
    expect(parse('out[n,j] = x', AXES)).toEqual({
      ...{ target: 'out', axes: 'nj', adds: false },
      value: { kind: 'name', name: 'x' },
    });
    expect(parse('scale = 2', AXES)).toMatchObject({ target: 'scale', axes: '', value: { kind: 'number', value: 2 } });
  });

  it('adds with +=', () => {
    expect(parse('out[n] += x', AXES)).toMatchObject({ axes: 'n', adds: true });
    expect(parse('out[n] = x', AXES)).toMatchObject({ axes: 'n', adds: false });
  });

  it('can write to the elements that a table names', () => {
    expect(parse('dx[n,from,at] += dout', AXES)).toEqual({
      ...{ target: 'dx', axes: '', adds: true },
      at: [{ axis: 'n', shift: 0 }, { table: 'from' }, { table: 'at' }],
      value: { kind: 'name', name: 'dout' },
    });
    expect(parse('y[n,0] = x', AXES).at).toEqual([{ axis: 'n', shift: 0 }, { index: 0 }]);
  });

  it.each([
    ['y[n] = ', 'y[n] = : unexpected "end"'],
    ['y[n] x', 'y[n] x: unexpected {"word":"x"}'],
    ['y = a b', 'y = a b: unexpected {"word":"b"}'],
    ['y = 2a', 'y = 2a: unexpected {"word":"a"}'],
    ['y = (a + b', 'y = (a + b: unexpected "end"'],
    ['y = a + b)', 'y = a + b): unexpected ")"'],
    ['y = a · − b', 'y = a · − b: unexpected "-"'],
    ['y = x[n', 'y = x[n: unexpected "end"'],
    ['y = x[]', 'y = x[]: unexpected "]"'],
    ['y = Σ x', 'y = Σ x: unexpected " Σ x"'],
    ['y = a % b', 'y = a % b: unexpected " % b"'],
    ['= a', '= a: unexpected "="'],
  ])('"%s" is refused by its text', (text, message) => {
    expect(() => parse(text, AXES)).toThrow(new SyntaxError(message));
  });

  it.each(['y = h[t−2]', 'y = h[t+k]', 'y = h[t−]'])('"%s" is refused, because only shifts by one exist', (text) => {
    expect(() => parse(text, AXES)).toThrow(SyntaxError);
  });
});

describe('the parts of a formula', () => {
  it('are its direct children', () => {
    const [a, b, c] = [valueOf('a'), valueOf('b'), valueOf('2')];
    expect(childrenOf(valueOf('a + b − 2'))).toEqual([a, b, c]);
    expect(childrenOf(valueOf('a · b / 2'))).toEqual([a, b, c]);
    expect(childrenOf(valueOf('tanh(a)'))).toEqual([a]);
    expect(childrenOf(valueOf('Σ_n a'))).toEqual([a]);
    expect(childrenOf({ kind: 'cut', axis: 'n', skipped: [1, 0], body: a })).toEqual([a]);
    expect(childrenOf(a)).toEqual([]);
    expect(childrenOf(c)).toEqual([]);
  });

  it('read quantities, also in their subscripts', () => {
    const value = valueOf('Σ_k weight · x[n,from,at] + √(bias − 1) / weight');
    expect([...namesIn(value)].sort()).toEqual(['at', 'bias', 'from', 'weight', 'x']);
  });

  it('are replaced by identity, not by what they say', () => {
    const sum = valueOf('a + a') as Sum;
    const b = valueOf('b');
    expect(grouped(replaced(sum, sum.terms[1].node, b))).toBe('(+a +b)');
    expect(replaced(sum, valueOf('a'), b)).toBe(sum);
    expect(grouped(sum)).toBe('(+a +a)');
  });

  it('are replaced at any depth, and the rest stays the same', () => {
    const product = valueOf('m · tanh(Σ_n x · (y − 1)²)') as Product;
    const find = (node: Node): Node | undefined =>
      node.kind === 'name' && node.name === 'y' ? node : childrenOf(node).map(find).find(Boolean);
    const y = find(product);
    if (!y) throw new Error('no y');
    const changed = replaced(product, y, valueOf('z / 2')) as Product;
    expect(grouped(changed)).toBe('(m^1 tanh Σ_n (x^1 (+(z^1 2^-1) -1)^2)^1)');
    expect(changed.factors[0].node).toBe(product.factors[0].node);
    expect(replaced(product, product, valueOf('b'))).toEqual(valueOf('b'));
    const cut: Node = { kind: 'cut', axis: 'n', skipped: [1, 0], body: product };
    expect(grouped(replaced(cut, product, valueOf('b')))).toBe('n without 1 and 0 b');
    expect(replaced(cut, valueOf('b'), product)).toBe(cut);
  });
});
