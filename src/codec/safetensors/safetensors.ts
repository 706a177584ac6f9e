/**
 * Bodies as safetensors: tensors are its entries, options stand in `__metadata__` under their names. What JSON
 * nests, a forward request inside a backward one, has its names behind a dot: `forward.x`, `forward.epsilon`.
 */
import { refuse, type Path } from '../../refusal.js';
import { formatShape, type Tensor } from '../../tensor/tensor.js';
import type { Body, Codec } from '../codec.js';
import { dotted, nest } from '../dotted.js';
import { commonDtype } from '../packed.js';
import { readSafetensors } from './read.js';
import { writeSafetensors } from './write.js';

const codes = { float64: 'F64', float32: 'F32', int32: 'I64', uint8: 'U8' } as const;

export const safetensors: Codec = {
  decode(bytes): Body {
    const { tensors, metadata } = readSafetensors(bytes);
    const clash = Object.keys(metadata).find((name) => name in tensors);
    if (clash !== undefined)
      throw refuse('invalid-request', clash.split('.'), `${clash} is both a tensor and in __metadata__; expected one`);
    const entries = Object.entries(tensors).map(([name, { dtype }]) => ({ name, dtype, path: name.split('.') }));
    const dtype = commonDtype(entries, codes);
    const named = (path: Path, expected: readonly string[]): Tensor => {
      const name = dotted(path);
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
