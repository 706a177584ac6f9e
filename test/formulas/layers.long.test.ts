import { describe } from 'vitest';
import { formulasSuite } from './layers.js';

describe('the formulas, on many instances', () => {
  formulasSuite({ instances: 150 });
});
