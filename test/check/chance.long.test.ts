import { describe, expect, it } from 'vitest';
import { allChecks } from '../../src/check/registry.js';
import { diagnosesByChance } from './chance.js';

describe('one wrong element, in many claims,', () => {
  it.each(allChecks.map((checks) => [checks.layer.name, checks] as const))(
    'of %s gets no diagnosis',
    { timeout: 600_000 },
    (_, checks) => {
      const { claims, named } = diagnosesByChance(checks, 20);
      expect(claims).toBeGreaterThan(50);
      expect(named).toEqual([]);
    },
  );
});
