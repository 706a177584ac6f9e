import { describe, expect, it } from 'vitest';
import { parse, type Node, type Product, type Reduction, type Sum } from '../../src/formulas/language.js';
import { formulaOf, texOf, textOf } from '../../src/formulas/text.js';

const AXES = 'dntjrikqcsop';
const stepOf = (formula: string) => parse(formula, AXES);

const VALUES: Readonly<Record<string, number>> = { a: 2, b: 3, c: 5, d: 7 };

/** A value that depends on how the parts of a formula are grouped. */
function resultOf(node: Node): number {
  switch (node.kind) {
    case 'number':
      return node.value;
    case 'name':
      return VALUES[node.name];
    case 'sum':
      return node.terms.reduce((sum, { sign, node: term }) => sum + sign * resultOf(term), 0);
    case 'product':
      return node.factors.reduce((product, { power, node: factor }) => product * resultOf(factor) ** power, 1);
    case 'call':
      return node.name === '√' ? Math.sqrt(resultOf(node.argument)) : Math.tanh(resultOf(node.argument));
    case 'reduce':
      // Unlike a sum, it shows where its body ends.
      return 11 * resultOf(node.body) + 1;
    case 'cut':
      throw new Error('a cut is not written');
  }
}

describe('a formula is written', () => {
  it.each([
    ['out[n,o] = Σ_i x · weight + bias', 'out = Σ_i x · weight + bias'],
    ['xhat[n,c,s] = (x − mean) · rstd', 'x̂ = (x − mean) · rstd'],
    ['rstd[c] = 1 / √(var + epsilon)', 'rstd = 1 / √(var + epsilon)'],
    ['std[c] = √var', 'std = √var'],
    ['var[c] = Σ_ns centred² / m', 'var = Σ_ns centred² / m'],
    ['y[c] = a / (m − 1) / b', 'y = a / ((m − 1) · b)'],
    [
      'dx[n,c,s] = rstd / m · (m · dxhat − Σ_ns dxhat − xhat · Σ_ns dxhat · xhat)',
      'dx = rstd · (m · dx̂ − Σ_ns dx̂ − x̂ · Σ_ns dx̂ · x̂) / m',
    ],
    ['dvar[c] = −0.5 · rstd³ · Σ_ns dxhat · (x − mean)', 'dvar = −0.5 · rstd³ · Σ_ns dx̂ · (x − mean)'],
    ['y[n] = (Σ_i x) · b', 'y = (Σ_i x) · b'],
    ['y[n] = a − (b − c)', 'y = a − (b − c)'],
    ['c[d,n,t,j] = f · c[d,n,t−1,j] + i · g', 'c = f · c_(t−1) + i · g'],
    ['dh[d,n,t,j] = dout_t + dh_back[d,n,t+1,j]', 'dh = dout_t + dh_back_(t+1)'],
    ['i[d,n,t,j] = σ(z_i)', 'i = σ(z_i)'],
    ['dz[n] = dh · (1 − tanh(c)²)', 'dz = dh · (1 − tanh(c)²)'],
    ['h_n[d,n,j] = h[d,n,last,j]', 'h_n = h[last, j]'],
    ['z_f[d,n,t,j] = z[d,n,t,row_f]', 'z_f = z[row_f]'],
    ['dx[n,from,at] += dout · weight', 'dx[from, at] += dout · weight'],
    ['best[n,c,p] = argmax_k x[n,c,at]', 'best = argmax_k(x[c, at])'],
  ])('%s', (formula, expected) => {
    expect(formulaOf(stepOf(formula))).toBe(expected);
  });

  it.each([
    ...['a / (b · c)', '(a · b)²', 'a · (b / c)', '1 / (a / b)', '(a²)³', '(a + b) / (c − d)', '−(a + b)', '(1 / a)²'],
    ...['a − (b + c)', '(−a) · b', 'a · (Σ_i b) · c', '(Σ_i a)²', 'Σ_i (a + b)', 'Σ_i (a + b) · c', 'a / (Σ_i b)'],
    ...['√(a · b)', '√(a²)', '(√a)²', 'tanh(a + b)³', 'a · Σ_i b / c', '(a · Σ_i b) / c', 'a + Σ_i b + c'],
  ])('so that %s means the same when it is read again', (formula) => {
    const { value } = stepOf(`y = ${formula}`);
    const again = stepOf(`y = ${textOf(value)}`).value;
    expect(resultOf(again)).toBeCloseTo(resultOf(value), 9);
  });
});

describe('TeX', () => {
  it.each([
    ['out[n,o] = Σ_i x · weight + bias', String.raw`\text{out} = \sum_{i} x \, \text{weight} + \text{bias}`],
    ['xhat[n,c,s] = (x − mean) · rstd', String.raw`\hat{x} = \left(x - \text{mean}\right) \, \text{rstd}`],
    ['rstd[c] = 1 / √(var + epsilon)', String.raw`\text{rstd} = \frac{1}{\sqrt{\text{var} + \varepsilon}}`],
    ['var[c] = Σ_ns centred² / m', String.raw`\text{var} = \sum_{n,s} \frac{{\text{centred}}^{2}}{m}`],
    ['y[c] = a / b / c', String.raw`y = \frac{a}{b \, c}`],
    ['c[d,n,t,j] = f · c[d,n,t−1,j] + i · g', String.raw`c = f \, {c}_{t-1} + i \, g`],
    ['i[d,n,t,j] = σ(z_i)', String.raw`i = \sigma(z_{\text{i}})`],
    ['out[n,o] = relu(x)', String.raw`\text{out} = \operatorname{relu}(x)`],
    ['dx[n,i] = dout · (1 − out²)', String.raw`\text{dx} = \text{dout} \, \left(1 - {\text{out}}^{2}\right)`],
    [
      'dx[n,from,at] += dout · weight',
      String.raw`{\text{dx}}_{\text{from}, \text{at}} \mathrel{+}= \text{dout} \, \text{weight}`,
    ],
    ['dxhat[n,c,s] = dout · gamma', String.raw`\text{d}\hat{x} = \text{dout} \, \text{gamma}`],
    ['y[n] = (a · b)²', String.raw`y = {\left(a \, b\right)}^{2}`],
    ['dbias_ih[d,r] = Σ_nt dz', String.raw`\text{dbias}_{\text{ih}} = \sum_{n,t} \text{dz}`],
  ])('writes %s', (formula, expected) => {
    expect(texOf(stepOf(formula))).toBe(expected);
  });

  it('boxes the marked part, with its parentheses', () => {
    const step = stepOf('y[n] = (a − b) · Σ_i x · w + c²');
    const [product, square] = (step.value as Sum).terms.map(({ node }) => node as Product);
    const [difference, reduction] = product.factors.map(({ node }) => node);
    const rest = (first: string, second: string, third: string) => `y = ${first} \\, ${second} + ${third}`;
    const plain = [String.raw`\left(a - b\right)`, String.raw`\sum_{i} x \, w`, '{c}^{2}'] as const;
    expect(texOf(step)).toBe(rest(...plain));
    expect(texOf(step, difference)).toBe(rest(String.raw`\boxed{\left(a - b\right)}`, plain[1], plain[2]));
    expect(texOf(step, (reduction as Reduction).body)).toBe(
      rest(plain[0], String.raw`\sum_{i} \boxed{x \, w}`, plain[2]),
    );
    expect(texOf(step, square)).toBe(rest(plain[0], plain[1], String.raw`\boxed{{c}^{2}}`));
    expect(texOf(step, step.value)).toBe(String.raw`y = \boxed{${rest(...plain).slice(4)}}`);
  });

  it('boxes only the marked one of equal parts', () => {
    const step = stepOf('y[n] = a + a');
    expect(texOf(step, (step.value as Sum).terms[1].node)).toBe(String.raw`y = a + \boxed{a}`);
    expect(texOf(step, { kind: 'name', name: 'a' })).toBe('y = a + a');
  });

  it('boxes an argument, a term and a factor below a fraction', () => {
    const step = stepOf('y[n] = 1 / √(a + b)');
    const root = (step.value as Product).factors[1].node;
    expect(texOf(step, root)).toBe(String.raw`y = \frac{1}{\boxed{\sqrt{a + b}}}`);
    if (root.kind !== 'call') throw new Error('no root');
    expect(texOf(step, root.argument)).toBe(String.raw`y = \frac{1}{\sqrt{\boxed{a + b}}}`);
    expect(texOf(step, (root.argument as Sum).terms[0].node)).toBe(String.raw`y = \frac{1}{\sqrt{\boxed{a} + b}}`);
  });
});
