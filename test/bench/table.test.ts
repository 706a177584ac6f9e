import { describe, expect, it } from 'vitest';
import { cases } from '../../bench/cases.js';
import { formatNumber, formatRow, formatValue, HEAD, ratio, type Row } from '../../bench/table.js';
import { targetsOf } from '../../bench/targets.js';

const row = (changes: Partial<Row>): Row => ({
  what: 'something',
  unit: 'time',
  layerd: { value: 2e6 },
  beside: [],
  ...changes,
});

describe('a figure', () => {
  it.each([
    [0, '0'],
    [0.04321, '0.0432'],
    [1, '1.00'],
    [31.26, '31.3'],
    [431.4, '431'],
    [43210, '43210'],
    [NaN, 'NaN'],
  ])('of %d is %s', (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });

  it.each([
    [840, 'time', '840 ns'],
    [26_400, 'time', '26.4 µs'],
    [15_500_000, 'time', '15.5 ms'],
    [1_310_000_000, 'time', '1.31 s'],
    [26.14, 'ns a number', '26.1 ns'],
    [2517.3, 'requests a second', '2517/s'],
  ] as const)('of %d as %s is %s', (value, unit, text) => {
    expect(formatValue(value, unit)).toBe(text);
  });
});

describe('a ratio', () => {
  it('is how many times as fast layerd is, for times and for rates', () => {
    expect(ratio(2, 6, 'time')).toBe(3);
    expect(ratio(6, 2, 'requests a second')).toBe(3);
  });
});

describe('a row', () => {
  it('has as many cells as the head', () => {
    const cells = (line: string) => line.split('|').length;
    const [head, rule] = HEAD.split('\n');
    for (const line of [rule, formatRow(row({})), formatRow({ name: 'a', says: 'b' })])
      expect(cells(line)).toBe(cells(head));
  });

  it('states what it is compared with, with ratio and remarks', () => {
    const beside = [
      { name: 'PyTorch', value: 1e6, more: '8.0 GFLOP/s' },
      { name: 'plain Fastify', says: 'not offered' },
    ];
    expect(formatRow(row({ beside }))).toBe(
      '| something | 2.00 ms | PyTorch 1.00 ms (0.500×; 8.0 GFLOP/s), plain Fastify: not offered |  |  |',
    );
  });

  it('says that there is no alternative to compare with', () => {
    expect(formatRow(row({ caution: 'disturbed' }))).toBe(
      '| something | 2.00 ms | nothing to compare with |  | disturbed |',
    );
  });

  it.each([
    [45, 'met'],
    [45.1, '**missed**'],
  ])('of %d ns is compared with a target of 45 ns', (value, verdict) => {
    const text = formatRow(row({ what: 'read 1024 × 256 float64, 17 digits', unit: 'ns a number', layerd: { value } }));
    expect(text).toMatch(new RegExp(`at most 45 ns \\| ${verdict.replaceAll('*', '\\*')} \\|$`));
  });

  it.each([
    ['NumPy on OpenBLAS 0.3.21', 0.9e6, 'met'],
    ['NumPy on OpenBLAS 0.3.21', 0.89e6, '**missed**'],
    ['NumPy on reference BLAS', 9e6, 'no NumPy on OpenBLAS to judge by'],
  ])('is judged by its ratio to %s at %d ns', (name, value, verdict) => {
    const text = formatRow(row({ what: 'product 512-512-512 float32', beside: [{ name, value }] }));
    expect(text.endsWith(`| 0.45× NumPy on OpenBLAS | ${verdict} |`)).toBe(true);
  });
});

describe('targets', () => {
  it('for layers name rows that exist', () => {
    const named = cases.map(({ name }) => [name, targetsOf(`${name} float64, forward`).length] as const);
    expect(named.filter(([, count]) => count > 0).map(([name]) => name)).toEqual([
      'linear 512-512-512',
      'convolution 8-64-32-64',
      'convolution 8-3-32-16',
      'lstm 50-32-128-256',
      'lstm 20-4-8-16',
      'rnn 50-32-128-256',
      'rnn 20-4-8-16',
      'batchnorm 4096-512',
      'max pooling 16-64-64-64',
      'average pooling 16-64-64-64',
      'dropout 1024-256',
    ]);
  });

  it('for backward hold for every layer, but not for forward and backward together', () => {
    expect(targetsOf('rnn 20-4-8-16 float32, backward')).toHaveLength(1);
    expect(targetsOf('rnn 20-4-8-16 float32, forward and backward')).toHaveLength(0);
  });
});
