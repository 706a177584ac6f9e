/**
 * The keys that clients show, and the file that holds them: a line for each, its name and its hash.
 *
 * The hash is a plain SHA-256. Slow, salted hashes such as scrypt protect passwords, which can be guessed; a key is 256
 * bits of chance, which cannot, and is checked with every request.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

const KEY_BYTES = 32;

/** Lets secret scanners and people tell what a leaked string is. */
const PREFIX = 'layerd_';

export interface Key {
  /** For the log, and for people. */
  readonly name: string;
  readonly hash: Buffer;
  /** What sessions are marked with: of this key alone, however others are named. */
  readonly owner: string;
}

const NAME = /^[\w.-]{1,64}$/;
const LINE = /^(\S+)\s+sha256:([0-9a-f]{64})$/;

function hashOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/**
 * A new key, and the line for the file. The key itself is nowhere else.
 * @throws {Error} where `name` cannot be one
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
 * The keys of a file's text. Empty lines and those that begin with # say nothing.
 * @throws {Error} with the number of the line that is wrong
 */
export function parseKeys(text: string): readonly Key[] {
  const keys: Key[] = [];
  text.split(/\r?\n/).forEach((untrimmed, i) => {
    const line = untrimmed.trim();
    if (line === '' || line.startsWith('#')) return;
    const [, name, hex] = LINE.exec(line) ?? [];
    // Not the line itself: somebody may have put a key there.
    if (!name || !hex || !NAME.test(name)) throw new Error(`line ${i + 1} is not "name sha256:" and 64 hex digits`);
    for (const earlier of keys)
      if (earlier.name === name || earlier.owner === hex)
        throw new Error(`line ${i + 1} has the ${earlier.name === name ? 'name' : 'key'} of an earlier one`);
    keys.push({ name, hash: Buffer.from(hex, 'hex'), owner: hex });
  });
  if (keys.length === 0) throw new Error('there is no key in it');
  return keys;
}

/** The key that was shown, if it is one of these. Takes as long whichever it is, and whether it is one. */
export function findKey(keys: readonly Key[], shown: string): Key | undefined {
  const hash = hashOf(shown);
  let found: Key | undefined;
  for (const key of keys) if (timingSafeEqual(key.hash, hash)) found = key;
  return found;
}
