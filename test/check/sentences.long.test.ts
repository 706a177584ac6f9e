import { describe, expect, it } from 'vitest';
import { allChecks } from '../../src/check/registry.js';
import { strayWords } from './sentences.js';

describe('the sentences of a check, over many instances,', () => {
  it.each(allChecks.map((checks) => [checks.layer.name, checks] as const))(
    'of %s is about what the instance has, and names three mistakes at most',
    { timeout: 900_000 },
    (_, checks) => {
      const { stray, mostNamed } = strayWords(checks, 100);
      expect(mostNamed).toBeLessThanOrEqual(3);
      expect(stray).toEqual([]);
    },
  );
});
