/**
 * Sums and normalisation by channel, over one piece of an array at a time.
 *
 * A piece is `runs` runs of S elements, each of one channel: the first of `channel`, the others of the channels that
 * follow in turn. If S is 1, it is rows of C channels. Sums are float64 for either dtype, and add to earlier pieces.
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

/**
 * A float64 x minus the origin of its channel; a float32 x unchanged. Equal values must have an exact sum, so that
 * their variance is 0: in float64, values of 24 bits have one, but values of 53 bits only as differences.
 */
function fromOrigin<T>(x: v128, origin: v128): v128 {
  return sizeof<T>() == 4 ? x : f64x2.sub(x, origin);
}

/**
 * `to[c] += Σ x`.
 * @bridge
 */
export function sums<T>(x: usize, runs: i32, S: i32, C: i32, channel: i32, to: usize): void {
  sumsFrom<T>(x, runs, S, C, channel, 0, to);
}

/** `sums[c] += Σ x`, or `Σ (x − origins[c])` if x is float64 and origins are given. */
function sumsFrom<T>(x: usize, runs: i32, S: i32, C: i32, channel: i32, origins: usize, sums: usize): void {
  if (S == 1) {
    sumsOfRows<T>(x, runs / C, C, origins, sums);
    return;
  }
  for (let r = 0; r < runs; r++) {
    add(sums + channel * 8, sumOf<T>(x, S, sizeof<T>(), originAt<T>(origins, channel)));
    x += S * sizeof<T>();
    if (++channel == C) channel = 0;
  }
}

function originAt<T>(origins: usize, c: i32): f64 {
  return sizeof<T>() == 8 && origins ? load<f64>(origins + c * 8) : 0;
}

/** Sums `count` elements that are `step` bytes apart. */
function sumOf<T>(x: usize, count: i32, step: usize, origin: f64): f64 {
  const origins = f64x2.splat(origin);
  let sum = zero();
  let i = 0;
  if (step == sizeof<T>()) {
    let sum1 = zero();
    let sum2 = zero();
    let sum3 = zero();
    for (; i + 8 <= count; i += 8) {
      sum = f64x2.add(sum, fromOrigin<T>(wide<T>(x), origins));
      sum1 = f64x2.add(sum1, fromOrigin<T>(wide<T>(x + pair<T>()), origins));
      sum2 = f64x2.add(sum2, fromOrigin<T>(wide<T>(x + 2 * pair<T>()), origins));
      sum3 = f64x2.add(sum3, fromOrigin<T>(wide<T>(x + 3 * pair<T>()), origins));
      x += 4 * pair<T>();
    }
    sum = f64x2.add(f64x2.add(sum, sum1), f64x2.add(sum2, sum3));
  }
  let rest: f64 = 0;
  for (; i < count; i++) {
    rest += <f64>load<T>(x) - origin;
    x += step;
  }
  return total(sum) + rest;
}

/**
 * Reads rows in memory order, four at a time: down a column, rows that are a power of two apart would share a few lines
 * of the first-level cache.
 */
function sumsOfRows<T>(x: usize, rows: i32, C: i32, origins: usize, sums: usize): void {
  const step = <usize>C * sizeof<T>();
  if (C & 1) {
    const last = C - 1;
    add(sums + last * 8, sumOf<T>(x + last * sizeof<T>(), rows, step, originAt<T>(origins, last)));
  }
  let r = 0;
  for (; r + 4 <= rows; r += 4) {
    let at0 = x;
    let at1 = x + step;
    let at2 = at1 + step;
    let at3 = at2 + step;
    for (let c = 0; c + 2 <= C; c += 2) {
      const origin = sizeof<T>() == 8 && origins ? v128.load(origins + c * 8) : zero();
      const sum01 = f64x2.add(fromOrigin<T>(wide<T>(at0), origin), fromOrigin<T>(wide<T>(at1), origin));
      const sum23 = f64x2.add(fromOrigin<T>(wide<T>(at2), origin), fromOrigin<T>(wide<T>(at3), origin));
      addVector(sums + c * 8, f64x2.add(sum01, sum23));
      at0 += pair<T>();
      at1 += pair<T>();
      at2 += pair<T>();
      at3 += pair<T>();
    }
    x += 4 * step;
  }
  for (; r < rows; r++) {
    for (let c = 0; c + 2 <= C; c += 2) {
      const origin = sizeof<T>() == 8 && origins ? v128.load(origins + c * 8) : zero();
      addVector(sums + c * 8, fromOrigin<T>(wide<T>(x + c * sizeof<T>()), origin));
    }
    x += step;
  }
}

/** Lists of float64, each `[C]` with room for one more if C is odd, and all 0 before the first piece. */
@unmanaged
class Moments {
  /** A channel's first value in float64, unless it is huge; 0 in float32. */
  origins: usize;
  /** Of earlier pieces: number of values, sum of differences from the origin, squared deviations from the mean. */
  counts: usize;
  sums: usize;
  squares: usize;
  /** The same of this piece. */
  pieceCounts: usize;
  pieceSums: usize;
  pieceSquares: usize;
  centers: usize;
}

/**
 * Adds a piece to the moments of earlier pieces. Two passes over the piece, while it is in the cache, compute its means
 * and the squared deviations from them, which are then combined (Chan, Golub and LeVeque 1983, eq. 2.1).
 * @bridge
 */
export function moments<T>(x: usize, runs: i32, S: i32, C: i32, channel: i32, lists: usize): void {
  const list = changetype<Moments>(lists);
  count<T>(x, runs, S, C, channel, list);
  sumsFrom<T>(x, runs, S, C, channel, list.origins, list.pieceSums);
  // In pairs of channels: those from `channel` to the last, then those from 0 if the runs wrap around.
  const end = channel + runs;
  const from = runs < C ? channel & ~1 : 0;
  for (let c = from; c < min(end, C); c += 2) center(list, c * 8);
  for (let c = 0; c < min(end - C, from); c += 2) center(list, c * 8);
  squares<T>(x, runs, S, C, channel, list.centers, list.pieceSquares);
  for (let c = from; c < min(end, C); c += 2) join(list, c * 8);
  for (let c = 0; c < min(end - C, from); c += 2) join(list, c * 8);
}

/** Above any practical value, but below overflow. */
const LARGE: f64 = 1e300;

function count<T>(x: usize, runs: i32, S: i32, C: i32, channel: i32, list: Moments): void {
  const rows = S == 1;
  const values = <f64>(rows ? runs / C : S);
  for (let r = rows ? C : runs; r > 0; r--) {
    const at = <usize>channel * 8;
    if (sizeof<T>() == 8 && load<f64>(list.counts + at) + load<f64>(list.pieceCounts + at) == 0) {
      // Differences from ∞ would be NaN although the mean is ∞, and those from very large numbers may overflow.
      const first = load<f64>(x);
      if (abs(first) < LARGE) store<f64>(list.origins + at, first);
    }
    add(list.pieceCounts + at, values);
    x += S * sizeof<T>();
    if (++channel == C) channel = 0;
  }
}

/** Replaces 0 by 1: if C is odd, there is a count of 0 after the last channel. */
function positive(counts: v128): v128 {
  return f64x2.max(counts, f64x2.splat(1));
}

function center(list: Moments, at: usize): void {
  const mean = f64x2.div(v128.load(list.pieceSums + at), positive(v128.load(list.pieceCounts + at)));
  v128.store(list.centers + at, f64x2.add(v128.load(list.origins + at), mean));
}

function join(list: Moments, at: usize): void {
  const before = v128.load(list.counts + at);
  const here = v128.load(list.pieceCounts + at);
  const both = f64x2.add(before, here);
  const sumBefore = v128.load(list.sums + at);
  const sum = v128.load(list.pieceSums + at);
  const apart = f64x2.sub(f64x2.div(sum, positive(here)), f64x2.div(sumBefore, positive(before)));
  const between = f64x2.mul(apart, f64x2.mul(apart, f64x2.div(f64x2.mul(before, here), positive(both))));
  v128.store(list.counts + at, both);
  v128.store(list.sums + at, f64x2.add(sumBefore, sum));
  addVector(list.squares + at, v128.load(list.pieceSquares + at));
  // `between` is NaN if a sum is infinite; then only the squares decide between infinity and NaN.
  addVector(list.squares + at, v128.and(between, f64x2.eq(between, between)));
  v128.store(list.pieceCounts + at, zero());
  v128.store(list.pieceSums + at, zero());
  v128.store(list.pieceSquares + at, zero());
}

/** `squares[c] += Σ (x − centers[c])²`. */
function squares<T>(x: usize, runs: i32, S: i32, C: i32, channel: i32, centers: usize, squares: usize): void {
  if (S == 1) {
    squaresOfRows<T>(x, runs / C, C, centers, squares);
    return;
  }
  for (let r = 0; r < runs; r++) {
    add(squares + channel * 8, squaresOf<T>(x, S, sizeof<T>(), centers + channel * 8));
    x += S * sizeof<T>();
    if (++channel == C) channel = 0;
  }
}

/** `sum + (x − center)²`, of two elements. */
function addSquare<T>(x: usize, center: v128, sum: v128): v128 {
  const deviation = f64x2.sub(wide<T>(x), center);
  return madd<f64>(deviation, deviation, sum);
}

/** Sums the squares of `count` elements that are `step` bytes apart. */
function squaresOf<T>(x: usize, count: i32, step: usize, center: usize): f64 {
  const centers = v128.load64_splat(center);
  let square = zero();
  let i = 0;
  if (step == sizeof<T>()) {
    let square1 = zero();
    let square2 = zero();
    let square3 = zero();
    for (; i + 8 <= count; i += 8) {
      square = addSquare<T>(x, centers, square);
      square1 = addSquare<T>(x + pair<T>(), centers, square1);
      square2 = addSquare<T>(x + 2 * pair<T>(), centers, square2);
      square3 = addSquare<T>(x + 3 * pair<T>(), centers, square3);
      x += 4 * pair<T>();
    }
    square = f64x2.add(f64x2.add(square, square1), f64x2.add(square2, square3));
  }
  let rest: f64 = 0;
  for (; i < count; i++) {
    const deviation = <f64>load<T>(x) - load<f64>(center);
    rest += deviation * deviation;
    x += step;
  }
  return total(square) + rest;
}

function squaresOfRows<T>(x: usize, rows: i32, C: i32, centers: usize, squares: usize): void {
  const step = <usize>C * sizeof<T>();
  if (C & 1) {
    const last = (<usize>C - 1) * 8;
    add(squares + last, squaresOf<T>(x + step - sizeof<T>(), rows, step, centers + last));
  }
  let r = 0;
  for (; r + 4 <= rows; r += 4) {
    let at0 = x;
    let at1 = x + step;
    let at2 = at1 + step;
    let at3 = at2 + step;
    for (let c = 0; c + 2 <= C; c += 2) {
      const center = v128.load(centers + c * 8);
      const square01 = addSquare<T>(at1, center, addSquare<T>(at0, center, v128.load(squares + c * 8)));
      const square23 = addSquare<T>(at3, center, addSquare<T>(at2, center, zero()));
      v128.store(squares + c * 8, f64x2.add(square01, square23));
      at0 += pair<T>();
      at1 += pair<T>();
      at2 += pair<T>();
      at3 += pair<T>();
    }
    x += 4 * step;
  }
  for (; r < rows; r++) {
    for (let c = 0; c + 2 <= C; c += 2) {
      const to = squares + c * 8;
      v128.store(to, addSquare<T>(x + c * sizeof<T>(), v128.load(centers + c * 8), v128.load(to)));
    }
    x += step;
  }
}

/** Lists of float64, `[C]` each. */
@unmanaged
class Products {
  mean: usize;
  sums: usize;
  products: usize;
}

/**
 * `sums[c] += Σ dout`, `products[c] += Σ dout · (x − mean[c])`.
 * @bridge
 */
export function normalizeSums<T>(x: usize, dout: usize, runs: i32, S: i32, C: i32, channel: i32, lists: usize): void {
  const list = changetype<Products>(lists);
  const mean = list.mean;
  const sums = list.sums;
  const products = list.products;
  if (S == 1) {
    normalizeSumsOfRows<T>(x, dout, runs / C, C, mean, sums, products);
    return;
  }
  for (let r = 0; r < runs; r++) {
    normalizeSumsOf<T>(x, dout, S, sizeof<T>(), mean + channel * 8, sums + channel * 8, products + channel * 8);
    x += S * sizeof<T>();
    dout += S * sizeof<T>();
    if (++channel == C) channel = 0;
  }
}

/** `sum + dout · (x − center)`, of two elements. */
function addProduct<T>(x: usize, dout: v128, center: v128, sum: v128): v128 {
  return madd<f64>(dout, f64x2.sub(wide<T>(x), center), sum);
}

/** Adds the sums of `count` elements that are `step` bytes apart. */
function normalizeSumsOf<T>(
  x: usize,
  dout: usize,
  count: i32,
  step: usize,
  mean: usize,
  sums: usize,
  products: usize,
): void {
  let sum: f64 = 0;
  let product: f64 = 0;
  let i = 0;
  if (step == sizeof<T>()) {
    const center = v128.load64_splat(mean);
    let sum0 = zero();
    let sum1 = zero();
    let product0 = zero();
    let product1 = zero();
    let product2 = zero();
    let product3 = zero();
    for (; i + 8 <= count; i += 8) {
      const d0 = wide<T>(dout);
      const d1 = wide<T>(dout + pair<T>());
      const d2 = wide<T>(dout + 2 * pair<T>());
      const d3 = wide<T>(dout + 3 * pair<T>());
      sum0 = f64x2.add(sum0, f64x2.add(d0, d1));
      sum1 = f64x2.add(sum1, f64x2.add(d2, d3));
      product0 = addProduct<T>(x, d0, center, product0);
      product1 = addProduct<T>(x + pair<T>(), d1, center, product1);
      product2 = addProduct<T>(x + 2 * pair<T>(), d2, center, product2);
      product3 = addProduct<T>(x + 3 * pair<T>(), d3, center, product3);
      x += 4 * pair<T>();
      dout += 4 * pair<T>();
    }
    sum = total(f64x2.add(sum0, sum1));
    product = total(f64x2.add(f64x2.add(product0, product1), f64x2.add(product2, product3)));
  }
  for (; i < count; i++) {
    const d = <f64>load<T>(dout);
    sum += d;
    product += d * (<f64>load<T>(x) - load<f64>(mean));
    x += step;
    dout += step;
  }
  add(sums, sum);
  add(products, product);
}

function normalizeSumsOfRows<T>(
  x: usize,
  dout: usize,
  rows: i32,
  C: i32,
  mean: usize,
  sums: usize,
  products: usize,
): void {
  const step = <usize>C * sizeof<T>();
  if (C & 1) {
    const last = <usize>C - 1;
    const at = last * sizeof<T>();
    normalizeSumsOf<T>(x + at, dout + at, rows, step, mean + last * 8, sums + last * 8, products + last * 8);
  }
  let r = 0;
  for (; r + 4 <= rows; r += 4) {
    // The distance between x and dout is the same in every row.
    const across = dout - x;
    let at0 = x;
    let at1 = x + step;
    let at2 = at1 + step;
    let at3 = at2 + step;
    for (let c = 0; c + 2 <= C; c += 2) {
      const center = v128.load(mean + c * 8);
      const d0 = wide<T>(at0 + across);
      const d1 = wide<T>(at1 + across);
      const d2 = wide<T>(at2 + across);
      const d3 = wide<T>(at3 + across);
      addVector(sums + c * 8, f64x2.add(f64x2.add(d0, d1), f64x2.add(d2, d3)));
      const product01 = addProduct<T>(at1, d1, center, addProduct<T>(at0, d0, center, v128.load(products + c * 8)));
      const product23 = addProduct<T>(at3, d3, center, addProduct<T>(at2, d2, center, zero()));
      v128.store(products + c * 8, f64x2.add(product01, product23));
      at0 += pair<T>();
      at1 += pair<T>();
      at2 += pair<T>();
      at3 += pair<T>();
    }
    x += 4 * step;
    dout += 4 * step;
  }
  for (; r < rows; r++) {
    for (let c = 0; c + 2 <= C; c += 2) {
      const at = <usize>c * sizeof<T>();
      const d = wide<T>(dout + at);
      const to = products + c * 8;
      addVector(sums + c * 8, d);
      v128.store(to, addProduct<T>(x + at, d, v128.load(mean + c * 8), v128.load(to)));
    }
    x += step;
    dout += step;
  }
}

/** x − center. A float32 x is centered in two steps, because rounding the mean to float32 would lose digits. */
function centered<T>(x: v128, center: v128, rest: v128): v128 {
  if (sizeof<T>() == 4) return f32x4.sub(f32x4.sub(x, center), rest);
  return f64x2.sub(x, center);
}

/**
 * Splits `mean[C]` into two values of type T: the rounded mean, and what rounding lost.
 * @bridge
 */
export function split<T>(mean: usize, C: i32, centers: usize, rests: usize): void {
  for (let c = 0; c < C; c++) {
    const exact = load<f64>(mean + c * 8);
    const center = <T>exact;
    store<T>(centers + c * sizeof<T>(), center);
    store<T>(rests + c * sizeof<T>(), <T>(isFinite(center) ? exact - <f64>center : 0));
  }
}

/**
 * In place: `x = (x − center[c] − rest[c]) · scale[c] + shift[c]`; `by` holds the four lists `[C]` in this order.
 * @bridge
 */
export function normalize<T>(x: usize, runs: i32, S: i32, C: i32, channel: i32, by: usize): void {
  const step = <usize>C * sizeof<T>();
  if (S == 1) {
    // Two rows at a time, which share the loaded constants. If the number is odd, the last row is used twice.
    for (let rows = runs / C; rows > 0; rows -= 2) {
      const below = rows > 1 ? step : 0;
      let c: usize = 0;
      for (; c + VECTOR <= step; c += VECTOR) {
        const center = v128.load(by + c);
        const rest = sizeof<T>() == 4 ? v128.load(by + step + c) : zero();
        const scale = v128.load(by + 2 * step + c);
        const shift = v128.load(by + 3 * step + c);
        const x0 = v128.load(x + c);
        const x1 = v128.load(x + below + c);
        v128.store(x + c, madd<T>(centered<T>(x0, center, rest), scale, shift));
        v128.store(x + below + c, madd<T>(centered<T>(x1, center, rest), scale, shift));
      }
      for (; c < step; c += sizeof<T>()) {
        normalizeRun<T>(x + c, 1, by + c, step);
        if (below) normalizeRun<T>(x + below + c, 1, by + c, step);
      }
      x += 2 * step;
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
 * In place: `dout = scale[c] · (dout − offset[c] − (x − center[c] − rest[c]) · slope[c])`; `by` holds the lists
 * center, rest, slope, offset and scale, `[C]` each, in this order.
 * @bridge
 */
export function normalizeBackward<T>(x: usize, dout: usize, runs: i32, S: i32, C: i32, channel: i32, by: usize): void {
  const step = <usize>C * sizeof<T>();
  if (S == 1) {
    const across = dout - x;
    for (let rows = runs / C; rows > 0; rows -= 2) {
      const below = rows > 1 ? step : 0;
      let c: usize = 0;
      for (; c + VECTOR <= step; c += VECTOR) {
        const center = v128.load(by + c);
        const rest = sizeof<T>() == 4 ? v128.load(by + step + c) : zero();
        const slope = v128.load(by + 2 * step + c);
        const offset = v128.load(by + 3 * step + c);
        const scale = v128.load(by + 4 * step + c);
        const at0 = x + c;
        const at1 = at0 + below;
        const d0 = v128.load(at0 + across);
        const d1 = v128.load(at1 + across);
        const deviation0 = centered<T>(v128.load(at0), center, rest);
        const deviation1 = centered<T>(v128.load(at1), center, rest);
        v128.store(at0 + across, gradient<T>(deviation0, d0, slope, offset, scale));
        v128.store(at1 + across, gradient<T>(deviation1, d1, slope, offset, scale));
      }
      for (; c < step; c += sizeof<T>()) {
        normalizeBackwardRun<T>(x + c, dout + c, 1, by + c, step);
        if (below) normalizeBackwardRun<T>(x + below + c, dout + below + c, 1, by + c, step);
      }
      x += 2 * step;
      dout += 2 * step;
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
