/** For formats that do not nest: fields of a forward request inside a backward one have dotted names. */
import { refuse, type Path } from '../refusal.js';

/**
 * Collects fields such as `forward.x` and `forward.epsilon` in an object `forward`. Built from entries, because an
 * assignment to `__proto__` would not create an own property.
 * @throws {Refusal} invalid-request if a field has the name of such an object
 */
export function nest(flat: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const plain: [string, unknown][] = [];
  const nested = new Map<string, [string, unknown][]>();
  for (const [name, value] of Object.entries(flat)) {
    const dot = name.indexOf('.');
    if (dot < 0) plain.push([name, value]);
    else {
      const outer = name.slice(0, dot);
      const inner = nested.get(outer) ?? [];
      inner.push([name.slice(dot + 1), value]);
      nested.set(outer, inner);
    }
  }
  const twice = plain.find(([name]) => nested.has(name));
  if (twice)
    throw refuse(
      'invalid-request',
      [twice[0]],
      `${twice[0]} and ${twice[0]}.… are both present; expected one of the two`,
    );
  const objects = [...nested].map(([name, entries]) => [name, Object.fromEntries(entries)]);
  return Object.fromEntries([...plain, ...objects]) as Record<string, unknown>;
}

/** The dotted name of a path. */
export function dotted(path: Path): string {
  return path.join('.');
}
