import { describe, expect, it } from 'vitest';
import { allChecks } from '../../src/check/registry.js';
import { strayWords } from './sentences.js';

describe('the sentences of a check', () => {
  it.each(allChecks.map((checks) => [checks.layer.name, checks] as const))(
    'of %s are about what the instance has, and name at most three mistakes',
    (_, checks) => {
      const { stray, sentences, mostNamed } = strayWords(checks, 2);
      expect(sentences).toBeGreaterThan(20);
      expect(mostNamed).toBeLessThanOrEqual(3);
      expect(stray).toEqual([]);
    },
  );
});
