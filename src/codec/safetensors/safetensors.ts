/**
 * Bodies as safetensors: tensors are its entries, options stand in `__metadata__` under their names. What JSON
 * nests, a forward request inside a backward one, has its names behind a dot: `forward.x`, `forward.epsilon`.
 */
import { refuse, type Path } from '../../refusal.js';
import { formatShape, type FloatDtype, type Tensor } from '../../tensor/tensor.js';
import type { Body, Codec } from '../codec.js';
import { readSafetensors } from './read.js';
import { writeSafetensors } from './write.js';

const codes = { float64: 'F64', float32: 'F32', int32: 'I64', uint8: 'U8' } as const;

/** By way of entries, which make own properties of any name: an assignment to `__proto__` would not. */
function nest(flat: Readonly<Record<string, unknown>>): Record<string, unknown> {
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

function commonDtype(tensors: Readonly<Record<string, Tensor>>): FloatDtype | undefined {
  const floats = Object.entries(tensors).filter(([, { dtype }]) => dtype === 'float64' || dtype === 'float32');
  if (floats.length === 0) return undefined;
  const [firstName, { dtype }] = floats[0];
  const other = floats.find(([, entry]) => entry.dtype !== dtype);
  if (other)
    throw refuse(
      'invalid-tensor',
      other[0].split('.'),
      `${other[0]} is ${codes[other[1].dtype]}; expected ${codes[dtype]}, as ${firstName} is`,
    );
  return dtype as FloatDtype;
}

export const safetensors: Codec = {
  decode(bytes): Body {
    const { tensors, metadata } = readSafetensors(bytes);
    const clash = Object.keys(metadata).find((name) => name in tensors);
    if (clash !== undefined)
      throw refuse('invalid-request', clash.split('.'), `${clash} is both a tensor and in __metadata__; expected one`);
    const dtype = commonDtype(tensors);
    const named = (path: Path, expected: readonly string[]): Tensor => {
      const name = path.join('.');
      const tensor = Object.hasOwn(tensors, name) ? tensors[name] : undefined;
      if (tensor && expected.includes(codes[tensor.dtype])) return tensor;
      const came = tensor ? `${codes[tensor.dtype]} of shape ${formatShape(tensor.shape)}` : 'in __metadata__';
      throw refuse('invalid-tensor', path, `${name} is ${came}; expected a tensor of ${expected.join(' or ')}`);
    };
    return {
      values: nest({ ...metadata, ...tensors }),
      ...(dtype ? { dtype } : {}),
      floats: (path, wanted) => named(path, [codes[wanted]]),
      integers: (path) => named(path, [codes.int32]),
      readRest: () => undefined,
    };
  },
  encode: writeSafetensors,
};
