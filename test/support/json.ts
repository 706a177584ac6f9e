/** JSON without the service's own reader: V8's `JSON.parse`, and a search for duplicate names. */

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The value of a text, or the pointer of its first duplicate name, or neither. */
export function readReference(bytes: Buffer): { value: unknown } | { twice: string } | 'invalid' {
  let text: string;
  let value: unknown;
  try {
    text = UTF8.decode(bytes);
    value = JSON.parse(text);
  } catch {
    return 'invalid';
  }
  const twice = firstTwice(text);
  return twice === undefined ? { value } : { twice };
}

/** @param text grammatically valid JSON */
function firstTwice(text: string): string | undefined {
  const open: { seen?: Set<string>; key: string | number }[] = [];
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/gs) ?? [];
  for (const [i, token] of tokens.entries()) {
    const inner = open.at(-1);
    if (token === '{') open.push({ seen: new Set(), key: '' });
    else if (token === '[') open.push({ key: 0 });
    else if (token === '}' || token === ']') open.pop();
    else if (token === ',' && typeof inner?.key === 'number') inner.key++;
    else if (inner?.seen && tokens[i + 1] === ':') {
      inner.key = JSON.parse(token) as string;
      if (inner.seen.has(inner.key))
        return open.map(({ key }) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
      inner.seen.add(inner.key);
    }
  }
  return undefined;
}

/** The nesting depth of a text, as far as it is valid. */
export function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (const [bracket] of text.replace(/"(?:[^"\\]|\\.)*("|$)/gs, '').matchAll(/[[\]{}]/g)) {
    depth += bracket === '[' || bracket === '{' ? 1 : -1;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}
