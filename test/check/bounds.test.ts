import { describe } from 'vitest';
import { boundsSuite } from './bounds.js';

// The long test covers more elements and instances.
describe('the rounding bounds', () => {
  boundsSuite({ instances: 3, elements: 2 });
});
