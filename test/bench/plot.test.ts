import { describe, expect, it } from 'vitest';
import { logScale, logTicks, plot, spread } from '../../bench/plot.js';

describe('a logarithmic scale', () => {
  it('maps equal ratios to equal distances, in both directions', () => {
    const up = logScale([1, 100], [0, 50]);
    expect([1, 10, 100].map(up)).toEqual([0, 25, 50]);
    const down = logScale([1, 100], [50, 0]);
    expect([1, 10, 100].map(down)).toEqual([50, 25, 0]);
  });

  it('has its ticks within the range', () => {
    expect(logTicks(4, 150)).toEqual([5, 10, 20, 50, 100]);
    expect(logTicks(1, 10)).toEqual([1, 2, 5, 10]);
  });
});

describe('labels', () => {
  it('stay in place if none overlap', () => {
    expect(spread([100, 0, 50], 20)).toEqual([100, 0, 50]);
  });

  it('that overlap are spread evenly, in their order', () => {
    expect(spread([52, 50], 10)).toEqual([56, 46]);
  });

  it('that are pushed into others push those further', () => {
    const places = spread([0, 1, 2, 14], 10);
    const sorted = [...places].sort((a, b) => a - b);
    expect(places).toEqual(sorted);
    for (let i = 1; i < sorted.length; i++) expect(sorted[i] - sorted[i - 1]).toBeGreaterThanOrEqual(10 - 1e-9);
  });
});

describe('a plot', () => {
  const given = {
    title: 'a < b',
    subtitle: 'c',
    x: {
      title: 'matrix',
      ticks: [
        [64, '8×8'],
        [4096, '64×64'],
      ] as const,
    },
    y: { title: 'ns' },
    series: [
      { name: 'one & all', colour: 0, dashed: true, points: [[64, 100] as const, [4096, 10] as const] },
      { name: 'two', colour: 1, dashed: false, points: [[64, 200] as const, [4096, 20] as const] },
    ],
    origin: 'here and now',
  };

  it('has a line, a name and one dot per point for each series, with text escaped', () => {
    const svg = plot(given);
    expect(svg.match(/class="line"/g)).toHaveLength(2);
    expect(svg.match(/stroke-dasharray/g)).toHaveLength(1);
    expect(svg.match(/<circle/g)).toHaveLength(4);
    expect(svg).toContain('>one &amp; all</text>');
    expect(svg).toContain('<title>a &lt; b</title>');
    expect(svg).toContain('<title>two: 200</title>');
  });

  it('draws the smaller of two values lower', () => {
    const heights = [...plot(given).matchAll(/cy="([\d.]+)"/g)].map(([, y]) => Number(y));
    expect(heights[1]).toBeGreaterThan(heights[0]);
    expect(heights[3]).toBeLessThan(heights[1]);
  });

  it('contains no NaN', () => {
    expect(plot(given)).not.toContain('NaN');
  });
});
