import { expect, it } from 'vitest';
import { count } from '../src/refusal.js';

it.each([
  [0, 'entry', '0 entries'],
  [1, 'entry', '1 entry'],
  [2, 'entry', '2 entries'],
  [1, 'byte', '1 byte'],
  [2, 'byte', '2 bytes'],
])('a sentence counts %d of %s as %s', (n, thing, words) => {
  expect(count(n, thing)).toBe(words);
});
