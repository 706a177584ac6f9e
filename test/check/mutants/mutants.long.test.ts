/** A sample of the bench of mutants; all of it is run by `npm run mutants`. */
import { describe, expect, it } from 'vitest';
import { layerNames } from '../../support/compute.js';
import { findingsOn, prepare } from './bench.js';
import { figuresOf } from './report.js';
import { originals } from './sources.js';
import { alarmsOf } from './variants.js';

/** Surviving mutants of all layers together. */
const SAMPLE = 300;

/** Shares of the mutants that survive. */
const LEAST_DIAGNOSED = 0.6;
const MOST_MISLEADING = 0.03;

const all = originals({ layers: [] });

describe('a textbook implementation', () => {
  it.each(layerNames)('of %s exists in at least three styles', (name) => {
    expect(all.filter(({ layer }) => layer === name).length).toBeGreaterThanOrEqual(3);
  });

  it.each(all.map((original) => [`${original.layer}/${original.style}`, original] as const))(
    '%s is right, and no form of its answers is diagnosed',
    (_, original) => {
      expect(prepare(original).missing).toEqual([]);
      expect(alarmsOf(original).alarms.filter(({ sentences }) => sentences.length > 0)).toEqual([]);
    },
  );
});

describe('mutants', () => {
  it('are detected, mostly diagnosed, and seldom with a misleading sentence', { timeout: 1_200_000 }, () => {
    const limit = Math.ceil(SAMPLE / layerNames.length);
    const findings = layerNames.flatMap((layer) => [...findingsOn(layer, all, { seed: 1, typicalOnly: true, limit })]);
    const { surviving, detected, diagnosed, misleading } = figuresOf(findings);
    expect(surviving).toBeGreaterThanOrEqual(SAMPLE);
    expect(detected / surviving).toBeGreaterThanOrEqual(0.99);
    expect(diagnosed / surviving).toBeGreaterThanOrEqual(LEAST_DIAGNOSED);
    expect(misleading / surviving).toBeLessThanOrEqual(MOST_MISLEADING);
  });
});
