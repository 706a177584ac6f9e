import { describe, expect, it } from 'vitest';
import { findKey, makeKey, parseKeys } from '../../src/keys/keys.js';

describe('a key', () => {
  it('has 256 random bits, and its line does not reveal it', () => {
    const { key, line } = makeKey('trainer');
    expect(key).toMatch(/^layerd_[\w-]{43}$/);
    expect(line).toMatch(/^trainer sha256:[0-9a-f]{64}$/);
    expect(makeKey('trainer').key).not.toBe(key);
  });

  it('is recognised among others, and nothing else is', () => {
    const made = ['a', 'b', 'c'].map(makeKey);
    const keys = parseKeys(made.map(({ line }) => line).join('\n'));
    made.forEach(({ key }, i) => {
      expect(findKey(keys, key)).toBe(keys[i]);
      expect(findKey(keys, `${key}x`)).toBeUndefined();
      expect(findKey(keys, key.slice(0, -1))).toBeUndefined();
      expect(findKey(keys, keys[i].owner)).toBeUndefined();
    });
    expect(new Set(keys.map(({ owner }) => owner)).size).toBe(3);
    expect(findKey(keys, '')).toBeUndefined();
  });

  it.each(['', 'two words', 'x'.repeat(65), 'a:b', '#a'])('cannot have the name %j', (name) => {
    expect(() => makeKey(name)).toThrow(
      `the name is ${JSON.stringify(name)}; expected 1 to 64 letters, digits, dots, dashes or underscores`,
    );
  });
});

describe('the file of keys', () => {
  const { line } = makeKey('a');
  const [, hash = ''] = line.split(' ');

  it('may contain comments, empty lines and any kind of line ending', () => {
    const text = `# of the trainers\r\n\r\n  ${line}  \r\n${makeKey('b').line}`;
    expect(parseKeys(text).map(({ name }) => name)).toEqual(['a', 'b']);
  });

  it.each([
    ['', 'it contains no key'],
    ['# none\n', 'it contains no key'],
    [
      `${line}\nlayerd_a-key-itself`,
      'line 2 is invalid; expected a name, a space, "sha256:" and 64 hexadecimal digits',
    ],
    ['a sha256:12', 'line 1 is invalid; expected a name, a space, "sha256:" and 64 hexadecimal digits'],
    [`a:b ${hash}`, 'line 1 is invalid; expected a name, a space, "sha256:" and 64 hexadecimal digits'],
    [`${line} x`, 'line 1 is invalid; expected a name, a space, "sha256:" and 64 hexadecimal digits'],
    [`${line}\n\n${makeKey('a').line}`, 'line 3 repeats the name of an earlier line'],
    [`${line}\nb ${hash}`, 'line 2 repeats the key of an earlier line'],
  ])('is refused, with the invalid line if there is one: %j', (text, says) => {
    expect(() => parseKeys(text)).toThrow(says);
  });
});
