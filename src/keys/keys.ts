/**
 * API keys, and the file that lists them: one line per key, with its name and its hash.
 *
 * The hash is plain SHA-256. Slow, salted hashes such as scrypt protect passwords, which can be guessed; a key is 256
 * random bits, which cannot, and is verified on every request.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

const KEY_BYTES = 32;

/** Lets secret scanners and people recognise a leaked key. */
const PREFIX = 'layerd_';

export interface Key {
  /** Shown in logs. */
  readonly name: string;
  readonly hash: Buffer;
  /** Owner of sessions: unique to this key, whatever the names of other keys. */
  readonly owner: string;
}

const NAME = /^[\w.-]{1,64}$/;
const LINE = /^(\S+)\s+sha256:([0-9a-f]{64})$/;

function hashOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/**
 * Creates a key and the line for the file. The key itself is stored nowhere.
 * @throws {Error} if `name` is not a valid name
 */
export function makeKey(name: string): { readonly key: string; readonly line: string } {
  if (!NAME.test(name))
    throw new Error(
      `the name is ${JSON.stringify(name)}; expected 1 to 64 letters, digits, dots, dashes or underscores`,
    );
  const key = PREFIX + randomBytes(KEY_BYTES).toString('base64url');
  return { key, line: `${name} sha256:${hashOf(key).toString('hex')}` };
}

/**
 * The keys in the text of a file. Empty lines and lines that start with # are ignored.
 * @throws {Error} with the number of the line that is wrong
 */
export function parseKeys(text: string): readonly Key[] {
  const keys: Key[] = [];
  text.split(/\r?\n/).forEach((untrimmed, i) => {
    const line = untrimmed.trim();
    if (line === '' || line.startsWith('#')) return;
    const [, name, hex] = LINE.exec(line) ?? [];
    // Not the line itself: it may contain a key.
    if (!name || !hex || !NAME.test(name))
      throw new Error(`line ${i + 1} is invalid; expected a name, a space, "sha256:" and 64 hexadecimal digits`);
    for (const earlier of keys)
      if (earlier.name === name || earlier.owner === hex)
        throw new Error(`line ${i + 1} repeats the ${earlier.name === name ? 'name' : 'key'} of an earlier line`);
    keys.push({ name, hash: Buffer.from(hex, 'hex'), owner: hex });
  });
  if (keys.length === 0) throw new Error('it contains no key');
  return keys;
}

/** The key that matches, if any. Takes the same time whichever key matches, if any. */
export function findKey(keys: readonly Key[], shown: string): Key | undefined {
  const hash = hashOf(shown);
  let found: Key | undefined;
  for (const key of keys) if (timingSafeEqual(key.hash, hash)) found = key;
  return found;
}
