/**
 * The JSON codec, from a body's bytes to a typed array and back, compared with V8's `JSON.parse` of the UTF-8 text
 * (without conversion to a typed array) and `JSON.stringify` of nested arrays to bytes.
 */
import { decodeFloats, decodeIntegers, parseJson } from '../src/codec/json/read.js';
import { encodeJson } from '../src/codec/json/write.js';
import { dtypeOf, tensor, type Shape, type TensorData } from '../src/tensor/tensor.js';
import { wants, type Options } from './options.js';
import { bits, doubles } from './random.js';
import { average, inTurn } from './rounds.js';
import type { Report } from './table.js';

const random = doubles(1);
const decimals = () => Math.round(random() * 1e4) / 1e4 + 0;
const bytes = bits(2);

const contents: Record<string, (length: number) => TensorData> = {
  'float64, 17 digits': (length) => Float64Array.from({ length }, random),
  float32: (length) => Float32Array.from({ length }, random),
  'float64, four decimals': (length) => Float64Array.from({ length }, decimals),
  'float32, four decimals': (length) => Float32Array.from({ length }, decimals),
  'integers to 255': (length) => Int32Array.from({ length }, () => bytes() >>> 24),
};

/** The first one shows the fixed cost of a small body. */
const shapes: readonly Shape[] = [
  [4, 3],
  [64, 64],
  [1024, 256],
  [4096, 512],
];

export function nested([rows, columns]: Shape, data: TensorData): number[][] {
  return Array.from({ length: rows }, (_, i) => [...data.subarray(i * columns, (i + 1) * columns)]);
}

/** Readers and writers of layerd and of V8, verified to agree. */
function prepare(shape: Shape, data: TensorData) {
  const x = tensor(shape, data);
  const body = encodeJson({ x });
  const dtype = dtypeOf(data);
  const read = () => {
    const { x } = parseJson(body, { x: true }) as { x: unknown };
    return dtype === 'float64' || dtype === 'float32' ? decodeFloats(x, dtype, ['x']) : decodeIntegers(x, ['x']);
  };
  // V8 writes float32 with the digits of float64. Its reader is given the same text as layerd's.
  const parsed = JSON.parse(body.toString('utf8')) as { x: number[][] };
  const plainly = dtype === 'float32' ? parsed : { x: nested(shape, data) };
  if (!read().data.every((value, i) => Object.is(value, data[i]))) throw new Error('reading differs');
  if (JSON.stringify(plainly) !== body.toString('latin1')) throw new Error('writing differs');
  return {
    read: [average('layerd', read), average('JSON.parse', () => JSON.parse(body.toString('utf8')) as unknown)],
    write: [
      average('layerd', () => encodeJson({ x })),
      average('JSON.stringify', () => Buffer.from(JSON.stringify(plainly))),
    ],
  };
}

export async function codec(options: Options, report: Report): Promise<void> {
  const { rounds = 15, seconds = 0.05 } = options;
  for (const shape of shapes)
    for (const [content, make] of Object.entries(contents)) {
      const name = `${shape.join(' × ')} ${content}`;
      const ways = (['read', 'write'] as const).filter((way) => wants(options, `${way} ${name}`));
      if (ways.length === 0) continue;
      const size = shape[0] * shape[1];
      const sides = prepare(shape, make(size));
      for (const way of ways) {
        // A first run of each, so that V8 can optimise it.
        await inTurn(sides[way], { rounds: 1, seconds });
        const [ours, theirs] = (await inTurn(sides[way], { rounds, seconds })).map((ns) => ns / size);
        report({
          what: `${way} ${name}`,
          unit: 'ns a number',
          layerd: { value: ours },
          beside: [{ name: sides[way][1].name, value: theirs }],
        });
      }
    }
}
