/**
 * Sums and normalisation by channel, over one piece of an array at a time.
 *
 * A piece is `runs` runs of S elements, each of one channel, from `channel` on and then in turn; where S is 1 it is
 * rows of C channels. Sums are formed in float64 whatever the dtype, and added to what earlier pieces left.
 */
import { lanes, madd, nmadd, VECTOR, zero } from './vector';

/** Two elements as float64. */
function wide<T>(at: usize): v128 {
  if (sizeof<T>() == 4) return f64x2.promote_low_f32x4(v128.load64_zero(at));
  return v128.load(at);
}

/** Bytes of two elements. */
function pair<T>(): usize {
  return 2 * sizeof<T>();
}

function total(vector: v128): f64 {
  return f64x2.extract_lane(vector, 0) + f64x2.extract_lane(vector, 1);
}

function add(at: usize, value: f64): void {
  store<f64>(at, load<f64>(at) + value);
}

function addVector(at: usize, value: v128): void {
  v128.store(at, f64x2.add(v128.load(at), value));
}

/** `sums[c] += Σ x`. */
export function sums<T>(x: usize, runs: i32, S: i32, C: i32, channel: i32, sums: usize): void {
  if (S == 1) sumsOfColumns<T>(x, runs / C, C, sums);
  else
    for (let r = 0; r < runs; r++) {
      add(sums + channel * 8, sumOf<T>(x, S));
      x += S * sizeof<T>();
      if (++channel == C) channel = 0;
    }
}

function sumOf<T>(x: usize, S: i32): f64 {
  let sum0 = zero();
  let sum1 = zero();
  let sum2 = zero();
  let sum3 = zero();
  let i = 0;
  for (; i + 8 <= S; i += 8) {
    sum0 = f64x2.add(sum0, wide<T>(x));
    sum1 = f64x2.add(sum1, wide<T>(x + pair<T>()));
    sum2 = f64x2.add(sum2, wide<T>(x + 2 * pair<T>()));
    sum3 = f64x2.add(sum3, wide<T>(x + 3 * pair<T>()));
    x += 4 * pair<T>();
  }
  let sum = total(f64x2.add(f64x2.add(sum0, sum1), f64x2.add(sum2, sum3)));
  for (; i < S; i++) {
    sum += <f64>load<T>(x);
    x += sizeof<T>();
  }
  return sum;
}

function sumsOfColumns<T>(x: usize, rows: i32, C: i32, sums: usize): void {
  const step = <usize>C * sizeof<T>();
  let c = 0;
  for (; c + 8 <= C; c += 8) {
    let at = x + c * sizeof<T>();
    let sum0 = zero();
    let sum1 = zero();
    let sum2 = zero();
    let sum3 = zero();
    for (let r = rows; r > 0; r--) {
      sum0 = f64x2.add(sum0, wide<T>(at));
      sum1 = f64x2.add(sum1, wide<T>(at + pair<T>()));
      sum2 = f64x2.add(sum2, wide<T>(at + 2 * pair<T>()));
      sum3 = f64x2.add(sum3, wide<T>(at + 3 * pair<T>()));
      at += step;
    }
    addVector(sums + c * 8, sum0);
    addVector(sums + c * 8 + 16, sum1);
    addVector(sums + c * 8 + 32, sum2);
    addVector(sums + c * 8 + 48, sum3);
  }
  for (; c < C; c++) {
    let at = x + c * sizeof<T>();
    let sum: f64 = 0;
    for (let r = 0; r < rows; r++) {
      sum += <f64>load<T>(at);
      at += step;
    }
    add(sums + c * 8, sum);
  }
}

/** `squares[c] += Σ (x − mean[c])²`, `rests[c] += Σ (x − mean[c])`. */
export function squares<T>(
  x: usize,
  runs: i32,
  S: i32,
  C: i32,
  channel: i32,
  mean: usize,
  squares: usize,
  rests: usize,
): void {
  if (S == 1) {
    const rows = runs / C;
    const step = <usize>C * sizeof<T>();
    let c = 0;
    for (; c + 4 <= C; c += 4) {
      let at = x + c * sizeof<T>();
      const center0 = v128.load(mean + c * 8);
      const center1 = v128.load(mean + c * 8, VECTOR);
      let square0 = zero();
      let square1 = zero();
      let rest0 = zero();
      let rest1 = zero();
      for (let r = rows; r > 0; r--) {
        const deviation0 = f64x2.sub(wide<T>(at), center0);
        const deviation1 = f64x2.sub(wide<T>(at + pair<T>()), center1);
        square0 = madd<f64>(deviation0, deviation0, square0);
        square1 = madd<f64>(deviation1, deviation1, square1);
        rest0 = f64x2.add(rest0, deviation0);
        rest1 = f64x2.add(rest1, deviation1);
        at += step;
      }
      addVector(squares + c * 8, square0);
      addVector(squares + c * 8 + 16, square1);
      addVector(rests + c * 8, rest0);
      addVector(rests + c * 8 + 16, rest1);
    }
    for (; c < C; c++) squaresOf<T>(x + c * sizeof<T>(), rows, step, mean + c * 8, squares + c * 8, rests + c * 8);
    return;
  }
  for (let r = 0; r < runs; r++) {
    squaresOf<T>(x, S, sizeof<T>(), mean + channel * 8, squares + channel * 8, rests + channel * 8);
    x += S * sizeof<T>();
    if (++channel == C) channel = 0;
  }
}

/** Of `count` elements, `step` bytes apart. */
function squaresOf<T>(x: usize, count: i32, step: usize, mean: usize, squares: usize, rests: usize): void {
  const center = load<f64>(mean);
  let square: f64 = 0;
  let rest: f64 = 0;
  let i = 0;
  if (step == sizeof<T>()) {
    const centers = f64x2.splat(center);
    let square0 = zero();
    let square1 = zero();
    let rest0 = zero();
    let rest1 = zero();
    for (; i + 4 <= count; i += 4) {
      const deviation0 = f64x2.sub(wide<T>(x), centers);
      const deviation1 = f64x2.sub(wide<T>(x + pair<T>()), centers);
      square0 = madd<f64>(deviation0, deviation0, square0);
      square1 = madd<f64>(deviation1, deviation1, square1);
      rest0 = f64x2.add(rest0, deviation0);
      rest1 = f64x2.add(rest1, deviation1);
      x += 2 * pair<T>();
    }
    square = total(f64x2.add(square0, square1));
    rest = total(f64x2.add(rest0, rest1));
  }
  for (; i < count; i++) {
    const deviation = <f64>load<T>(x) - center;
    square += deviation * deviation;
    rest += deviation;
    x += step;
  }
  add(squares, square);
  add(rests, rest);
}

/** `sums[c] += Σ dout`, `products[c] += Σ dout · (x − mean[c])`. */
export function normalizeSums<T>(
  x: usize,
  dout: usize,
  runs: i32,
  S: i32,
  C: i32,
  channel: i32,
  mean: usize,
  sums: usize,
  products: usize,
): void {
  if (S == 1) {
    const rows = runs / C;
    const step = <usize>C * sizeof<T>();
    let c = 0;
    for (; c + 4 <= C; c += 4) {
      let at = x + c * sizeof<T>();
      let from = dout + c * sizeof<T>();
      const center0 = v128.load(mean + c * 8);
      const center1 = v128.load(mean + c * 8, VECTOR);
      let sum0 = zero();
      let sum1 = zero();
      let product0 = zero();
      let product1 = zero();
      for (let r = rows; r > 0; r--) {
        const d0 = wide<T>(from);
        const d1 = wide<T>(from + pair<T>());
        sum0 = f64x2.add(sum0, d0);
        sum1 = f64x2.add(sum1, d1);
        product0 = madd<f64>(d0, f64x2.sub(wide<T>(at), center0), product0);
        product1 = madd<f64>(d1, f64x2.sub(wide<T>(at + pair<T>()), center1), product1);
        at += step;
        from += step;
      }
      addVector(sums + c * 8, sum0);
      addVector(sums + c * 8 + 16, sum1);
      addVector(products + c * 8, product0);
      addVector(products + c * 8 + 16, product1);
    }
    for (; c < C; c++) {
      const at = c * sizeof<T>();
      normalizeSumsOf<T>(x + at, dout + at, rows, step, mean + c * 8, sums + c * 8, products + c * 8);
    }
    return;
  }
  for (let r = 0; r < runs; r++) {
    normalizeSumsOf<T>(x, dout, S, sizeof<T>(), mean + channel * 8, sums + channel * 8, products + channel * 8);
    x += S * sizeof<T>();
    dout += S * sizeof<T>();
    if (++channel == C) channel = 0;
  }
}

function normalizeSumsOf<T>(
  x: usize,
  dout: usize,
  count: i32,
  step: usize,
  mean: usize,
  sums: usize,
  products: usize,
): void {
  const center = load<f64>(mean);
  let sum: f64 = 0;
  let product: f64 = 0;
  let i = 0;
  if (step == sizeof<T>()) {
    const centers = f64x2.splat(center);
    let sum0 = zero();
    let sum1 = zero();
    let product0 = zero();
    let product1 = zero();
    for (; i + 4 <= count; i += 4) {
      const d0 = wide<T>(dout);
      const d1 = wide<T>(dout + pair<T>());
      sum0 = f64x2.add(sum0, d0);
      sum1 = f64x2.add(sum1, d1);
      product0 = madd<f64>(d0, f64x2.sub(wide<T>(x), centers), product0);
      product1 = madd<f64>(d1, f64x2.sub(wide<T>(x + pair<T>()), centers), product1);
      x += 2 * pair<T>();
      dout += 2 * pair<T>();
    }
    sum = total(f64x2.add(sum0, sum1));
    product = total(f64x2.add(product0, product1));
  }
  for (; i < count; i++) {
    const d = <f64>load<T>(dout);
    sum += d;
    product += d * (<f64>load<T>(x) - center);
    x += step;
    dout += step;
  }
  add(sums, sum);
  add(products, product);
}

/** x − center, where a float32 x is centered in two steps: one rounding of the mean would cost its digits. */
function centered<T>(x: v128, center: v128, rest: v128): v128 {
  if (sizeof<T>() == 4) return f32x4.sub(f32x4.sub(x, center), rest);
  return f64x2.sub(x, center);
}

/** Splits `mean[C]` into two T, of which the second is what the first has lost. */
export function split<T>(mean: usize, C: i32, centers: usize, rests: usize): void {
  for (let c = 0; c < C; c++) {
    const exact = load<f64>(mean + c * 8);
    const center = <T>exact;
    store<T>(centers + c * sizeof<T>(), center);
    store<T>(rests + c * sizeof<T>(), <T>(isFinite(center) ? exact - <f64>center : 0));
  }
}

/** In place: `x = (x − center[c] − rest[c]) · scale[c] + shift[c]`; the four are `[C]` each, one after the other. */
export function normalize<T>(x: usize, runs: i32, S: i32, C: i32, channel: i32, by: usize): void {
  const step = <usize>C * sizeof<T>();
  if (S == 1) {
    for (let row = 0; row < runs / C; row++) {
      let c: usize = 0;
      for (; c + VECTOR <= step; c += VECTOR) {
        const center = v128.load(by + c);
        const rest = v128.load(by + step + c);
        const scale = v128.load(by + 2 * step + c);
        const shift = v128.load(by + 3 * step + c);
        v128.store(x + c, madd<T>(centered<T>(v128.load(x + c), center, rest), scale, shift));
      }
      for (; c < step; c += sizeof<T>()) normalizeRun<T>(x + c, 1, by + c, step);
      x += step;
    }
    return;
  }
  for (let r = 0; r < runs; r++) {
    normalizeRun<T>(x, S, by + channel * sizeof<T>(), step);
    x += S * sizeof<T>();
    if (++channel == C) channel = 0;
  }
}

function normalizeRun<T>(x: usize, S: i32, by: usize, step: usize): void {
  const center = v128.load_splat<T>(by);
  const rest = v128.load_splat<T>(by + step);
  const scale = v128.load_splat<T>(by + 2 * step);
  const shift = v128.load_splat<T>(by + 3 * step);
  let i = 0;
  for (; i + lanes<T>() <= S; i += lanes<T>()) {
    v128.store(x, madd<T>(centered<T>(v128.load(x), center, rest), scale, shift));
    x += VECTOR;
  }
  for (; i < S; i++) {
    v128.store_lane<T>(x, madd<T>(centered<T>(v128.load_splat<T>(x), center, rest), scale, shift), 0);
    x += sizeof<T>();
  }
}

function gradient<T>(x: v128, dout: v128, slope: v128, offset: v128, scale: v128): v128 {
  return v128.mul<T>(nmadd<T>(x, slope, v128.sub<T>(dout, offset)), scale);
}

/**
 * In place: `dout = scale[c] · (dout − offset[c] − (x − center[c] − rest[c]) · slope[c])`, by center, rest, slope,
 * offset and scale, `[C]` each, one after the other.
 */
export function normalizeBackward<T>(x: usize, dout: usize, runs: i32, S: i32, C: i32, channel: i32, by: usize): void {
  const step = <usize>C * sizeof<T>();
  if (S == 1) {
    for (let row = 0; row < runs / C; row++) {
      let c: usize = 0;
      for (; c + VECTOR <= step; c += VECTOR) {
        const deviation = centered<T>(v128.load(x + c), v128.load(by + c), v128.load(by + step + c));
        const slope = v128.load(by + 2 * step + c);
        const offset = v128.load(by + 3 * step + c);
        const scale = v128.load(by + 4 * step + c);
        v128.store(dout + c, gradient<T>(deviation, v128.load(dout + c), slope, offset, scale));
      }
      for (; c < step; c += sizeof<T>()) normalizeBackwardRun<T>(x + c, dout + c, 1, by + c, step);
      x += step;
      dout += step;
    }
    return;
  }
  for (let r = 0; r < runs; r++) {
    normalizeBackwardRun<T>(x, dout, S, by + channel * sizeof<T>(), step);
    x += S * sizeof<T>();
    dout += S * sizeof<T>();
    if (++channel == C) channel = 0;
  }
}

function normalizeBackwardRun<T>(x: usize, dout: usize, S: i32, by: usize, step: usize): void {
  const center = v128.load_splat<T>(by);
  const rest = v128.load_splat<T>(by + step);
  const slope = v128.load_splat<T>(by + 2 * step);
  const offset = v128.load_splat<T>(by + 3 * step);
  const scale = v128.load_splat<T>(by + 4 * step);
  let i = 0;
  for (; i + lanes<T>() <= S; i += lanes<T>()) {
    const deviation = centered<T>(v128.load(x), center, rest);
    v128.store(dout, gradient<T>(deviation, v128.load(dout), slope, offset, scale));
    x += VECTOR;
    dout += VECTOR;
  }
  for (; i < S; i++) {
    const deviation = centered<T>(v128.load_splat<T>(x), center, rest);
    v128.store_lane<T>(dout, gradient<T>(deviation, v128.load_splat<T>(dout), slope, offset, scale), 0);
    x += sizeof<T>();
    dout += sizeof<T>();
  }
}
