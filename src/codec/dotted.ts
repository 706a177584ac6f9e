/** For formats that do not nest: what JSON nests, a forward request inside a backward one, bears its name behind a dot. */
import { refuse, type Path } from '../refusal.js';

/**
 * The fields of `forward.x` and `forward.epsilon` as an object `forward`. By way of entries, which make own properties
 * of any name: an assignment to `__proto__` would not.
 * @throws {Refusal} invalid-request where a name is also that of an object
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
    throw refuse('invalid-request', [twice[0]], `${twice[0]} stands beside ${twice[0]}.…; expected one of the two`);
  const objects = [...nested].map(([name, entries]) => [name, Object.fromEntries(entries)]);
  return Object.fromEntries([...plain, ...objects]) as Record<string, unknown>;
}

/** The name of what stands at a path. */
export function dotted(path: Path): string {
  return path.join('.');
}
