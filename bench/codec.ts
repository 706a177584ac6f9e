/**
 * `node dist/bench/codec.js`: nanoseconds a number from a body's bytes to a typed array and back, beside V8's own
 * `JSON.parse` of the body's UTF-8 text (without the step to a typed array) and `JSON.stringify` of nested arrays to
 * bytes. Medians of interleaved rounds; what is timed was compared first. Prints a Markdown table.
 */
import { cpus } from 'node:os';
import { decodeFloats, decodeIntegers, parseJson } from '../src/codec/json/read.js';
import { encodeJson } from '../src/codec/json/write.js';
import { dtypeOf, tensor, type Shape, type TensorData } from '../src/tensor/tensor.js';

/** The same numbers in every run (mulberry32, Tommy Ettinger). */
let state = 1;
function next32(): number {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), state | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return (t ^ (t >>> 14)) >>> 0;
}
/** In [-1, 1), of 53 random bits. */
const random = () => (next32() * 2 ** 21 + (next32() >>> 11)) / 2 ** 52 - 1;

const contents: Record<string, (size: number) => TensorData> = {
  'float64, 17 digits': (size) => Float64Array.from({ length: size }, random),
  float32: (size) => Float32Array.from({ length: size }, random),
  'float64, four decimals': (size) => Float64Array.from({ length: size }, () => Math.round(random() * 1e4) / 1e4 + 0),
  'float32, four decimals': (size) => Float32Array.from({ length: size }, () => Math.round(random() * 1e4) / 1e4 + 0),
  'integers to 255': (size) => Int32Array.from({ length: size }, () => next32() >>> 24),
};

/** Rounds of all of `works` in turn, so that a slow moment of the machine meets all alike; medians in nanoseconds. */
function interleaved(works: readonly (() => unknown)[], rounds: number, calls: number): number[] {
  const times: number[][] = works.map(() => []);
  for (let round = 0; round < rounds; round++)
    works.forEach((work, i) => {
      const start = process.hrtime.bigint();
      for (let call = 0; call < calls; call++) work();
      times[i].push(Number(process.hrtime.bigint() - start) / calls);
    });
  return times.map((list) => list.sort((a, b) => a - b)[list.length >> 1]);
}

function nested([rows, columns]: Shape, data: TensorData): number[][] {
  return Array.from({ length: rows }, (_, i) => [...data.subarray(i * columns, (i + 1) * columns)]);
}

function measure(shape: Shape, data: TensorData): { bytes: number; times: number[] } {
  const x = tensor(shape, data);
  const body = encodeJson({ x });
  const dtype = dtypeOf(data);
  const read = () => {
    const { x } = parseJson(body, { x: true }) as { x: unknown };
    return dtype === 'float64' || dtype === 'float32' ? decodeFloats(x, dtype, ['x']) : decodeIntegers(x, ['x']);
  };
  // What V8 writes of float32 are the digits of float64; its own reading is given the same text as ours.
  const parsed = JSON.parse(body.toString('utf8')) as { x: number[][] };
  const plainly = dtype === 'float32' ? parsed : { x: nested(shape, data) };
  if (!read().data.every((value, i) => Object.is(value, data[i]))) throw new Error('reading differs');
  if (JSON.stringify(plainly) !== body.toString('latin1')) throw new Error('writing differs');
  const works = [
    read,
    () => JSON.parse(body.toString('utf8')) as unknown,
    () => encodeJson({ x }),
    () => Buffer.from(JSON.stringify(plainly)),
  ];
  const calls = Math.max(1, Math.round(2e5 / data.length));
  interleaved(works, 3, calls);
  return { bytes: body.length, times: interleaved(works, data.length > 1e6 ? 7 : 21, calls) };
}

console.log(`${cpus()[0].model.trim()}, Node.js ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}\n`);
console.log('| ns a number | bytes | read | JSON.parse | ratio | write | JSON.stringify | ratio |');
console.log('|---|---|---|---|---|---|---|---|');
for (const shape of [
  [64, 64],
  [1024, 256],
  [4096, 512],
])
  for (const [content, make] of Object.entries(contents)) {
    const size = shape[0] * shape[1];
    const { bytes, times } = measure(shape, make(size));
    const [read, parse, write, stringify] = times.map((time) => time / size);
    const cells = [
      (bytes / size).toFixed(1),
      ...[read, parse].map((time) => time.toFixed(1)),
      (parse / read).toFixed(1),
      ...[write, stringify].map((time) => time.toFixed(1)),
      (stringify / write).toFixed(1),
    ];
    console.log(`| ${shape.join(' × ')} ${content} | ${cells.join(' | ')} |`);
  }
