/** Everything that the bridge may call: each kernel once for float32 and once for float64. */
import { applyMask, dropoutMask } from './dropout';
import { averagePool, averagePoolBackward, maxPool, maxPoolBackward } from './pooling';
import { recur, recurBackward, recurGradients } from './recurrence';
import { moments, normalize, normalizeBackward, normalizeSums, split, sums } from './channels';
import { matmul } from './matmul';
import {
  addWeightGradient,
  correlate,
  flip,
  planCorrelate,
  planSpread,
  planWeightGradient,
  spread,
} from './convolution';

export { mark, release, take } from './arena';
export { dropoutMask };

/** `c = op(a) · op(b)` plus `c` itself where `accumulate` is set, or else plus `bias[N]` where it is not 0. */
export function matmul32(
  a: usize,
  b: usize,
  c: usize,
  bias: usize,
  M: i32,
  N: i32,
  K: i32,
  transposeA: bool,
  transposeB: bool,
  accumulate: bool,
): void {
  matmul<f32>(a, b, c, bias, M, N, K, transposeA, transposeB, accumulate);
}

/** `c = op(a) · op(b)` plus `c` itself where `accumulate` is set, or else plus `bias[N]` where it is not 0. */
export function matmul64(
  a: usize,
  b: usize,
  c: usize,
  bias: usize,
  M: i32,
  N: i32,
  K: i32,
  transposeA: bool,
  transposeB: bool,
  accumulate: bool,
): void {
  matmul<f64>(a, b, c, bias, M, N, K, transposeA, transposeB, accumulate);
}

export function planCorrelate32(axes: usize, weight: usize, groups: i32, A: i32, B: i32): usize {
  return planCorrelate<f32>(axes, weight, groups, A, B);
}

export function planCorrelate64(axes: usize, weight: usize, groups: i32, A: i32, B: i32): usize {
  return planCorrelate<f64>(axes, weight, groups, A, B);
}

export function correlate32(plan: usize, folded: usize, bias: usize, windowed: usize): void {
  correlate<f32>(plan, folded, bias, windowed);
}

export function correlate64(plan: usize, folded: usize, bias: usize, windowed: usize): void {
  correlate<f64>(plan, folded, bias, windowed);
}

export function flip32(to: usize, weight: usize, A: i32, B: i32, K: i32): void {
  flip<f32>(to, weight, A, B, K);
}

export function flip64(to: usize, weight: usize, A: i32, B: i32, K: i32): void {
  flip<f64>(to, weight, A, B, K);
}

export function planSpread32(axes: usize, weight: usize, groups: i32, A: i32, B: i32): usize {
  return planSpread<f32>(axes, weight, groups, A, B);
}

export function planSpread64(axes: usize, weight: usize, groups: i32, A: i32, B: i32): usize {
  return planSpread<f64>(axes, weight, groups, A, B);
}

export function spread32(plan: usize, windowed: usize, bias: usize, folded: usize): void {
  spread<f32>(plan, windowed, bias, folded);
}

export function spread64(plan: usize, windowed: usize, bias: usize, folded: usize): void {
  spread<f64>(plan, windowed, bias, folded);
}

export function planWeightGradient32(axes: usize, groups: i32, A: i32, B: i32): usize {
  return planWeightGradient<f32>(axes, groups, A, B);
}

export function planWeightGradient64(axes: usize, groups: i32, A: i32, B: i32): usize {
  return planWeightGradient<f64>(axes, groups, A, B);
}

export function addWeightGradient32(plan: usize, folded: usize, windowed: usize, dweight: usize): void {
  addWeightGradient<f32>(plan, folded, windowed, dweight);
}

export function addWeightGradient64(plan: usize, folded: usize, windowed: usize, dweight: usize): void {
  addWeightGradient<f64>(plan, folded, windowed, dweight);
}

export function sums32(x: usize, runs: i32, S: i32, C: i32, channel: i32, to: usize): void {
  sums<f32>(x, runs, S, C, channel, to);
}

export function sums64(x: usize, runs: i32, S: i32, C: i32, channel: i32, to: usize): void {
  sums<f64>(x, runs, S, C, channel, to);
}

export function moments32(x: usize, runs: i32, S: i32, C: i32, channel: i32, state: usize): void {
  moments<f32>(x, runs, S, C, channel, state);
}

export function moments64(x: usize, runs: i32, S: i32, C: i32, channel: i32, state: usize): void {
  moments<f64>(x, runs, S, C, channel, state);
}

export function split32(mean: usize, C: i32, centers: usize, rests: usize): void {
  split<f32>(mean, C, centers, rests);
}

export function split64(mean: usize, C: i32, centers: usize, rests: usize): void {
  split<f64>(mean, C, centers, rests);
}

export function normalize32(x: usize, runs: i32, S: i32, C: i32, channel: i32, by: usize): void {
  normalize<f32>(x, runs, S, C, channel, by);
}

export function normalize64(x: usize, runs: i32, S: i32, C: i32, channel: i32, by: usize): void {
  normalize<f64>(x, runs, S, C, channel, by);
}

export function normalizeSums32(
  x: usize,
  dout: usize,
  runs: i32,
  S: i32,
  C: i32,
  channel: i32,
  mean: usize,
  to: usize,
  products: usize,
): void {
  normalizeSums<f32>(x, dout, runs, S, C, channel, mean, to, products);
}

export function normalizeSums64(
  x: usize,
  dout: usize,
  runs: i32,
  S: i32,
  C: i32,
  channel: i32,
  mean: usize,
  to: usize,
  products: usize,
): void {
  normalizeSums<f64>(x, dout, runs, S, C, channel, mean, to, products);
}

export function normalizeBackward32(x: usize, dout: usize, runs: i32, S: i32, C: i32, channel: i32, by: usize): void {
  normalizeBackward<f32>(x, dout, runs, S, C, channel, by);
}

export function normalizeBackward64(x: usize, dout: usize, runs: i32, S: i32, C: i32, channel: i32, by: usize): void {
  normalizeBackward<f64>(x, dout, runs, S, C, channel, by);
}

export function recur32(
  kind: i32,
  xs: usize,
  weightIh: usize,
  weightHh: usize,
  bias: usize,
  lengths: usize,
  gates: usize,
  h: usize,
  c: usize,
  steps: i32,
  N: i32,
  I: i32,
  H: i32,
): void {
  recur<f32>(kind, xs, weightIh, weightHh, bias, lengths, gates, h, c, steps, N, I, H);
}

export function recur64(
  kind: i32,
  xs: usize,
  weightIh: usize,
  weightHh: usize,
  bias: usize,
  lengths: usize,
  gates: usize,
  h: usize,
  c: usize,
  steps: i32,
  N: i32,
  I: i32,
  H: i32,
): void {
  recur<f64>(kind, xs, weightIh, weightHh, bias, lengths, gates, h, c, steps, N, I, H);
}

export function recurBackward32(
  kind: i32,
  weightHh: usize,
  lengths: usize,
  gates: usize,
  h: usize,
  c: usize,
  douts: usize,
  dh: usize,
  dc: usize,
  dgates: usize,
  steps: i32,
  N: i32,
  H: i32,
): void {
  recurBackward<f32>(kind, weightHh, lengths, gates, h, c, douts, dh, dc, dgates, steps, N, H);
}

export function recurBackward64(
  kind: i32,
  weightHh: usize,
  lengths: usize,
  gates: usize,
  h: usize,
  c: usize,
  douts: usize,
  dh: usize,
  dc: usize,
  dgates: usize,
  steps: i32,
  N: i32,
  H: i32,
): void {
  recurBackward<f64>(kind, weightHh, lengths, gates, h, c, douts, dh, dc, dgates, steps, N, H);
}

export function recurGradients32(
  xs: usize,
  h: usize,
  weightIh: usize,
  dgates: usize,
  dxs: usize,
  dweightIh: usize,
  dweightHh: usize,
  dbias: usize,
  rows: i32,
  I: i32,
  H: i32,
  R: i32,
): void {
  recurGradients<f32>(xs, h, weightIh, dgates, dxs, dweightIh, dweightHh, dbias, rows, I, H, R);
}

export function recurGradients64(
  xs: usize,
  h: usize,
  weightIh: usize,
  dgates: usize,
  dxs: usize,
  dweightIh: usize,
  dweightHh: usize,
  dbias: usize,
  rows: i32,
  I: i32,
  H: i32,
  R: i32,
): void {
  recurGradients<f64>(xs, h, weightIh, dgates, dxs, dweightIh, dweightHh, dbias, rows, I, H, R);
}

export function maxPool32(axes: usize, planes: i32, x: usize, out: usize, indices: usize): void {
  maxPool<f32>(axes, planes, x, out, indices);
}

export function maxPool64(axes: usize, planes: i32, x: usize, out: usize, indices: usize): void {
  maxPool<f64>(axes, planes, x, out, indices);
}

export function maxPoolBackward32(planes: i32, outputs: i32, plane: i32, indices: usize, dout: usize, dx: usize): void {
  maxPoolBackward<f32>(planes, outputs, plane, indices, dout, dx);
}

export function maxPoolBackward64(planes: i32, outputs: i32, plane: i32, indices: usize, dout: usize, dx: usize): void {
  maxPoolBackward<f64>(planes, outputs, plane, indices, dout, dx);
}

export function averagePool32(
  axes: usize,
  planes: i32,
  countsD: usize,
  countsH: usize,
  countsW: usize,
  x: usize,
  out: usize,
): void {
  averagePool<f32>(axes, planes, countsD, countsH, countsW, x, out);
}

export function averagePool64(
  axes: usize,
  planes: i32,
  countsD: usize,
  countsH: usize,
  countsW: usize,
  x: usize,
  out: usize,
): void {
  averagePool<f64>(axes, planes, countsD, countsH, countsW, x, out);
}

export function averagePoolBackward32(
  axes: usize,
  planes: i32,
  countsD: usize,
  countsH: usize,
  countsW: usize,
  dout: usize,
  dx: usize,
): void {
  averagePoolBackward<f32>(axes, planes, countsD, countsH, countsW, dout, dx);
}

export function averagePoolBackward64(
  axes: usize,
  planes: i32,
  countsD: usize,
  countsH: usize,
  countsW: usize,
  dout: usize,
  dx: usize,
): void {
  averagePoolBackward<f64>(axes, planes, countsD, countsH, countsW, dout, dx);
}

export function applyMask32(x: usize, mask: usize, divisor: f64, count: i32): void {
  applyMask<f32>(x, mask, divisor, count);
}

export function applyMask64(x: usize, mask: usize, divisor: f64, count: i32): void {
  applyMask<f64>(x, mask, divisor, count);
}
