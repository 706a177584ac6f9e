/** Nonlinearities of a step. The elements of a row after its last whole vector are computed one at a time. */
import { sigmoid, tanh } from './math';
import { lanes, madd, nmadd, VECTOR } from './vector';

/** The numbers that the bridge uses. */
const TANH = 0;
const LSTM = 2;

function read<T>(at: usize, whole: bool): v128 {
  return whole ? v128.load(at) : v128.load_splat<T>(at);
}

function write<T>(at: usize, value: v128, whole: bool): void {
  if (whole) v128.store(at, value);
  else v128.store_lane<T>(at, value, 0);
}

/** Compared with <= rather than >, so that NaN stays NaN. */
function relu<T>(x: v128): v128 {
  return v128.andnot(x, v128.le<T>(x, v128.splat<T>(<T>0)));
}

/** In place. A function of a vector has only one caller, so that it is inlined: a call costs a third of a sigmoid. */
function sigmoids<T>(x: usize, count: i32): void {
  for (let i = 0; i < count;) {
    const whole = i + lanes<T>() <= count;
    write<T>(x, sigmoid<T>(read<T>(x, whole)), whole);
    const step = whole ? lanes<T>() : 1;
    i += step;
    x += step * sizeof<T>();
  }
}

function tanhs<T>(x: usize, to: usize, count: i32): void {
  for (let i = 0; i < count;) {
    const whole = i + lanes<T>() <= count;
    write<T>(to, tanh<T>(read<T>(x, whole)), whole);
    const step = whole ? lanes<T>() : 1;
    i += step;
    x += step * sizeof<T>();
    to += step * sizeof<T>();
  }
}

/** In place. */
function activate<T>(x: usize, count: i32, kind: i32): void {
  if (kind == TANH) {
    tanhs<T>(x, x, count);
    return;
  }
  for (let i = 0; i < count;) {
    const whole = i + lanes<T>() <= count;
    write<T>(x, relu<T>(read<T>(x, whole)), whole);
    const step = whole ? lanes<T>() : 1;
    i += step;
    x += step * sizeof<T>();
  }
}

/** `dz = dh · f'`, computed from the activation h. As in PyTorch, the gradient of relu passes where h is NaN. */
function activateBackward<T>(h: usize, dh: usize, dz: usize, count: i32, kind: i32): void {
  for (let i = 0; i < count;) {
    const whole = i + lanes<T>() <= count;
    const at = i * sizeof<T>();
    const value = read<T>(h + at, whole);
    const given = read<T>(dh + at, whole);
    const gradient =
      kind == TANH
        ? v128.mul<T>(given, nmadd<T>(value, value, v128.splat<T>(<T>1)))
        : v128.andnot(given, v128.le<T>(value, v128.splat<T>(<T>0)));
    write<T>(dz + at, gradient, whole);
    i += whole ? lanes<T>() : 1;
  }
}

/**
 * One step: turns `gates[N, 4H]` into activations; `c = f · cPrevious + i · g`, `h = o · tanh(c)`. Row by row and
 * function by function: iterations of a short loop overlap in the processor, five functions in one body do not.
 */
function lstmCell<T>(gates: usize, cPrevious: usize, c: usize, h: usize, N: i32, H: i32): void {
  const step = <usize>H * sizeof<T>();
  for (let n = 0; n < N; n++) {
    sigmoids<T>(gates, 2 * H);
    tanhs<T>(gates + 2 * step, gates + 2 * step, H);
    sigmoids<T>(gates + 3 * step, H);
    for (let j = 0; j < H;) {
      const whole = j + lanes<T>() <= H;
      const at = <usize>j * sizeof<T>();
      const i = read<T>(gates + at, whole);
      const f = read<T>(gates + at + step, whole);
      const g = read<T>(gates + at + 2 * step, whole);
      write<T>(c + at, madd<T>(f, read<T>(cPrevious + at, whole), v128.mul<T>(i, g)), whole);
      j += whole ? lanes<T>() : 1;
    }
    tanhs<T>(c, h, H);
    for (let j = 0; j < H;) {
      const whole = j + lanes<T>() <= H;
      const at = <usize>j * sizeof<T>();
      write<T>(h + at, v128.mul<T>(read<T>(gates + at + 3 * step, whole), read<T>(h + at, whole)), whole);
      j += whole ? lanes<T>() : 1;
    }
    gates += 4 * step;
    cPrevious += step;
    c += step;
    h += step;
  }
}

/** value · (1 − value) */
function ofSigmoid<T>(value: v128): v128 {
  return v128.mul<T>(value, v128.sub<T>(v128.splat<T>(<T>1), value));
}

/** Fills `dgates`, the gradient of the pre-activations; replaces the gradient of c in `dc` by that of cPrevious. */
function lstmCellBackward<T>(
  gates: usize,
  cPrevious: usize,
  c: usize,
  dh: usize,
  dc: usize,
  dgates: usize,
  N: i32,
  H: i32,
): void {
  const step = <usize>H * sizeof<T>();
  const one = v128.splat<T>(<T>1);
  for (let n = 0; n < N; n++) {
    // Stored where the gradient of the output gate will be written.
    tanhs<T>(c, dgates + 3 * step, H);
    for (let j = 0; j < H;) {
      const whole = j + lanes<T>() <= H;
      const at = <usize>j * sizeof<T>();
      const i = read<T>(gates + at, whole);
      const f = read<T>(gates + at + step, whole);
      const g = read<T>(gates + at + 2 * step, whole);
      const o = read<T>(gates + at + 3 * step, whole);
      const given = read<T>(dh, whole);
      const tanhC = read<T>(dgates + at + 3 * step, whole);
      const dtanh = nmadd<T>(tanhC, tanhC, one);
      const dcell = madd<T>(v128.mul<T>(given, o), dtanh, read<T>(dc, whole));
      write<T>(dgates + at, v128.mul<T>(v128.mul<T>(dcell, g), ofSigmoid<T>(i)), whole);
      const past = read<T>(cPrevious, whole);
      write<T>(dgates + at + step, v128.mul<T>(v128.mul<T>(dcell, past), ofSigmoid<T>(f)), whole);
      write<T>(dgates + at + 2 * step, v128.mul<T>(v128.mul<T>(dcell, i), nmadd<T>(g, g, one)), whole);
      write<T>(dgates + at + 3 * step, v128.mul<T>(v128.mul<T>(given, tanhC), ofSigmoid<T>(o)), whole);
      write<T>(dc, v128.mul<T>(dcell, f), whole);
      const width = whole ? lanes<T>() : 1;
      j += width;
      cPrevious += width * sizeof<T>();
      dh += width * sizeof<T>();
      dc += width * sizeof<T>();
    }
    gates += 4 * step;
    dgates += 4 * step;
    c += step;
  }
}

/** Turns a step's pre-activations `gates[N, R]` into activations; fills h and, if the cell has one, c. */
export function forwardCell<T>(kind: i32, gates: usize, cBefore: usize, c: usize, h: usize, N: i32, H: i32): void {
  if (kind == LSTM) {
    lstmCell<T>(gates, cBefore, c, h, N, H);
    return;
  }
  activate<T>(gates, N * H, kind);
  memory.copy(h, gates, <usize>(N * H) * sizeof<T>());
}

/** Fills `dgates`, the gradient of the pre-activations; replaces the gradient of c in `dc` by that of cBefore. */
export function backwardCell<T>(
  kind: i32,
  gates: usize,
  cBefore: usize,
  c: usize,
  dh: usize,
  dc: usize,
  dgates: usize,
  N: i32,
  H: i32,
): void {
  if (kind == LSTM) lstmCellBackward<T>(gates, cBefore, c, dh, dc, dgates, N, H);
  else activateBackward<T>(gates, dh, dgates, N * H, kind);
}
