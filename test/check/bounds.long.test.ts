import { describe } from 'vitest';
import { boundsSuite } from './bounds.js';

describe('the rounding bounds, for every element', () => {
  boundsSuite({ instances: 60, elements: Infinity });
});
