/**
 * Bodies as safetensors files: tensors are entries, and options are in `__metadata__`. The fields of a forward request
 * inside a backward one have dotted names: `forward.x`, `forward.epsilon`.
 */
import { refuse, type Path } from '../../refusal.js';
import { dtypeOf, formatShape, type Tensor } from '../../tensor/tensor.js';
import type { Body, Codec } from '../codec.js';
import { dotted, nest } from '../dotted.js';
import { commonDtype } from '../packed.js';
import { readSafetensors } from './read.js';
import { writeSafetensors } from './write.js';

const floatCodes = { float64: 'F64', float32: 'F32' } as const;

export const safetensors: Codec = {
  decode(bytes): Body {
    const { tensors, codes, metadata } = readSafetensors(bytes);
    const clash = Object.keys(metadata).find((name) => name in tensors);
    if (clash !== undefined)
      throw refuse('duplicate-name', clash.split('.'), `${clash} is both a tensor and in __metadata__; expected one`);
    const entries = Object.entries(tensors).map(([name, { data }]) => ({
      name,
      dtype: dtypeOf(data),
      path: name.split('.'),
    }));
    const dtype = commonDtype(entries, floatCodes);
    const named = (path: Path, expected: readonly string[]): Tensor => {
      const name = dotted(path);
      const tensor = Object.hasOwn(tensors, name) ? tensors[name] : undefined;
      if (tensor && expected.includes(codes[name])) return tensor;
      const came = tensor ? `${codes[name]} of shape ${formatShape(tensor.shape)}` : 'in __metadata__';
      throw refuse('invalid-tensor', path, `${name} is ${came}; expected a tensor of ${expected.join(' or ')}`);
    };
    return {
      values: nest({ ...metadata, ...tensors }),
      ...(dtype ? { dtype } : {}),
      floats: (path, wanted) => named(path, [floatCodes[wanted]]),
      integers: (path) => named(path, ['I64', 'I32']),
      readRest: () => undefined,
    };
  },
  encode: writeSafetensors,
};
