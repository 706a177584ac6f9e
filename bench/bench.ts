/**
 * `npm run bench`: what a number costs on its way through the service (read, compute, write), and how many
 * convolutions and lstm passes a second one core makes. Prints a Markdown table for bench/RESULTS.md.
 */
import { cpus } from 'node:os';
import { parseJson, decodeFloats } from '../src/codec/json/read.js';
import { encodeJson } from '../src/codec/json/write.js';
import { plain } from '../src/kernels/plain/plain.js';
import { layers } from '../src/layers/registry.js';
import { sizeOf, tensor, type Shape, type Tensor } from '../src/tensor/tensor.js';
import { medianNs } from './timing.js';

/** Numbers of 17 digits in [-1, 1), the same in every run: a linear congruential generator (Knuth's MMIX). */
function random(shape: Shape): Tensor<Float64Array> {
  let state = 1n;
  return tensor(
    shape,
    Float64Array.from({ length: sizeOf(shape) }, () => {
      state = BigInt.asUintN(64, state * 6364136223846793005n + 1442695040888963407n);
      return Number(state >> 11n) / 2 ** 52 - 1;
    }),
  );
}

function layerNamed(name: string) {
  const layer = layers.find((candidate) => candidate.name === name);
  if (!layer) throw new Error(`no layer ${name}`);
  return layer;
}

const ns = (value: number) => value.toFixed(value < 10 ? 2 : 0);

console.log(`${cpus()[0].model.trim()}, Node.js ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}\n`);

console.log('| batchnorm, float64, ns a number | read | forward | backward | write |\n|---|---|---|---|---|');
for (const shape of [
  [64, 64],
  [1024, 256],
]) {
  const x = random(shape);
  const dout = random(shape);
  const size = sizeOf(shape);
  const body = encodeJson({ x });
  const layer = layerNamed('batchnorm');
  const inputs = { x };
  const plan = layer.plan(inputs, { training: true, epsilon: 1e-8, momentum: 0.1 });
  const { outputs, cache } = layer.forward(inputs, plan, plain);
  const { out } = outputs as { out: Tensor };
  const times = [
    medianNs(() => decodeFloats((parseJson(body) as { x: unknown }).x, 'float64', ['x'])),
    medianNs(() => layer.forward(inputs, plan, plain)),
    medianNs(() => layer.backward(cache, plan, { dout }, plain)),
    medianNs(() => encodeJson({ out })),
  ];
  console.log(`| ${shape.join(' × ')} | ${times.map((time) => ns(time / size)).join(' | ')} |`);
}

console.log('\n| float64, operations a second | forward | backward |\n|---|---|---|');
const convolutionOptions = { stride: 1, padding: 1, dilation: 1, groups: 1, transposed: false, output_padding: 0 };
const recurrent = (T: number, N: number, I: number, H: number) => ({
  x: random([N, T, I]),
  weight_ih: random([4 * H, I]),
  weight_hh: random([4 * H, H]),
  bias_ih: random([4 * H]),
  bias_hh: random([4 * H]),
});
const convolutionInputs = (N: number, C: number, O: number) => ({
  x: random([N, C, 32, 32]),
  weight: random([O, C, 3, 3]),
  bias: random([O]),
});
const workloads = [
  ['convolution', '8×3×32×32, 16 kernels 3×3', convolutionInputs(8, 3, 16), convolutionOptions],
  ['convolution', '8×64×32×32, 64 kernels 3×3', convolutionInputs(8, 64, 64), convolutionOptions],
  ['lstm', 'T 20, N 4, I 8, H 16', recurrent(20, 4, 8, 16), { direction: 'forward', time_major: false }],
  ['lstm', 'T 50, N 32, I 128, H 256', recurrent(50, 32, 128, 256), { direction: 'forward', time_major: false }],
] as const;
for (const [name, size, inputs, options] of workloads) {
  const layer = layerNamed(name);
  const plan = layer.plan(inputs, options);
  const { cache } = layer.forward(inputs, plan, plain);
  const upstream = { dout: random(plan.outputs.out) };
  const forward = medianNs(() => layer.forward(inputs, plan, plain), 3);
  const backward = medianNs(() => layer.backward(cache, plan, upstream, plain), 3);
  console.log(`| ${name} ${size} | ${ns(1e9 / forward)} | ${ns(1e9 / backward)} |`);
}
