/** Loops over named axes, on one array that holds all values: nothing is allocated while formulas are evaluated. */

/** Most axes that a formula may use after neighbours are merged. */
const DEPTH = 6;

/** Sizes and strides of an output, two operands and two parts of a place, outermost first, padded to {@link DEPTH}. */
export interface Nest {
  readonly sizes: readonly number[];
  readonly out: readonly number[];
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly z: readonly number[];
  readonly w: readonly number[];
}

const zeros = ({ length }: readonly number[]) => Array<number>(length).fill(0);

/** Merges axes that can be walked as one, and drops those of size 1. */
export function nestOf(
  sizes: readonly number[],
  out: readonly number[],
  x: readonly number[],
  y: readonly number[] = x,
  z: readonly number[] = zeros(sizes),
  w: readonly number[] = zeros(sizes),
): Nest {
  const lists = [out, x, y, z, w];
  const merged: number[][] = [[], [], [], [], []];
  const s: number[] = [];
  for (const [i, size] of sizes.entries()) {
    if (size === 1) continue;
    const last = s.length - 1;
    if (last >= 0 && lists.every((strides, k) => merged[k][last] === strides[i] * size)) {
      s[last] *= size;
      for (let k = 0; k < lists.length; k++) merged[k][last] = lists[k][i];
    } else {
      s.push(size);
      for (let k = 0; k < lists.length; k++) merged[k].push(lists[k][i]);
    }
  }
  if (s.length > DEPTH) throw new RangeError(`a formula over ${s.length} axes; expected at most ${DEPTH}`);
  while (s.length < DEPTH) {
    s.unshift(1);
    for (const strides of merged) strides.unshift(0);
  }
  const [o, a, b, c, e] = merged;
  return { sizes: s, out: o, x: a, y: b, z: c, w: e };
}

/** out += scale · x */
export function add(data: Float64Array, { sizes, out, x }: Nest, o: number, a: number, scale: number): void {
  const [s0, s1, s2, s3, s4, s5] = sizes;
  const [o0, o1, o2, o3, o4, o5] = out;
  const [a0, a1, a2, a3, a4, a5] = x;
  for (let i0 = 0, p0 = o, q0 = a; i0 < s0; i0++, p0 += o0, q0 += a0)
    for (let i1 = 0, p1 = p0, q1 = q0; i1 < s1; i1++, p1 += o1, q1 += a1)
      for (let i2 = 0, p2 = p1, q2 = q1; i2 < s2; i2++, p2 += o2, q2 += a2)
        for (let i3 = 0, p3 = p2, q3 = q2; i3 < s3; i3++, p3 += o3, q3 += a3)
          for (let i4 = 0, p4 = p3, q4 = q3; i4 < s4; i4++, p4 += o4, q4 += a4)
            for (let i5 = 0, p5 = p4, q5 = q4; i5 < s5; i5++, p5 += o5, q5 += a5) data[p5] += scale * data[q5];
}

/** out += scale · x · y */
export function addProduct(
  data: Float64Array,
  { sizes, out, x, y }: Nest,
  o: number,
  a: number,
  b: number,
  scale: number,
): void {
  const [s0, s1, s2, s3, s4, s5] = sizes;
  const [o0, o1, o2, o3, o4, o5] = out;
  const [a0, a1, a2, a3, a4, a5] = x;
  const [b0, b1, b2, b3, b4, b5] = y;
  for (let i0 = 0, p0 = o, q0 = a, r0 = b; i0 < s0; i0++, p0 += o0, q0 += a0, r0 += b0)
    for (let i1 = 0, p1 = p0, q1 = q0, r1 = r0; i1 < s1; i1++, p1 += o1, q1 += a1, r1 += b1)
      for (let i2 = 0, p2 = p1, q2 = q1, r2 = r1; i2 < s2; i2++, p2 += o2, q2 += a2, r2 += b2)
        for (let i3 = 0, p3 = p2, q3 = q2, r3 = r2; i3 < s3; i3++, p3 += o3, q3 += a3, r3 += b3)
          for (let i4 = 0, p4 = p3, q4 = q3, r4 = r3; i4 < s4; i4++, p4 += o4, q4 += a4, r4 += b4)
            for (let i5 = 0, p5 = p4, q5 = q4, r5 = r4; i5 < s5; i5++, p5 += o5, q5 += a5, r5 += b5)
              data[p5] += scale * data[q5] * data[r5];
}

/**
 * The same for elements that are there: those with a 0 at the same place of `there` are skipped, so that nothing
 * outside a window is multiplied, not even by an infinite weight.
 *
 * @param there offset of the marks, which have the strides of x
 */
export function addProductWhere(
  data: Float64Array,
  { sizes, out, x, y }: Nest,
  o: number,
  a: number,
  b: number,
  scale: number,
  there: number,
): void {
  const shift = there - a;
  const [s0, s1, s2, s3, s4, s5] = sizes;
  const [o0, o1, o2, o3, o4, o5] = out;
  const [a0, a1, a2, a3, a4, a5] = x;
  const [b0, b1, b2, b3, b4, b5] = y;
  for (let i0 = 0, p0 = o, q0 = a, r0 = b; i0 < s0; i0++, p0 += o0, q0 += a0, r0 += b0)
    for (let i1 = 0, p1 = p0, q1 = q0, r1 = r0; i1 < s1; i1++, p1 += o1, q1 += a1, r1 += b1)
      for (let i2 = 0, p2 = p1, q2 = q1, r2 = r1; i2 < s2; i2++, p2 += o2, q2 += a2, r2 += b2)
        for (let i3 = 0, p3 = p2, q3 = q2, r3 = r2; i3 < s3; i3++, p3 += o3, q3 += a3, r3 += b3)
          for (let i4 = 0, p4 = p3, q4 = q3, r4 = r3; i4 < s4; i4++, p4 += o4, q4 += a4, r4 += b4)
            for (let i5 = 0, p5 = p4, q5 = q4, r5 = r4; i5 < s5; i5++, p5 += o5, q5 += a5, r5 += b5)
              if (data[q5 + shift] !== 0) data[p5] += scale * data[q5] * data[r5];
}

/**
 * out += x[place] · y, where a place is the sum of two values: −1 is outside, and skipped.
 *
 * @param p offset of the first part of the places, which have the strides of x
 * @param second offset of the second part, with the strides of w
 * @param region where place 0 is, for index 0 of the axes with strides in z
 */
export function addGathered(
  data: Float64Array,
  { sizes, out, x, y, z, w }: Nest,
  o: number,
  p: number,
  second: number,
  b: number,
  region: number,
): void {
  const [s0, s1, s2, s3, s4, s5] = sizes;
  const [o0, o1, o2, o3, o4, o5] = out;
  const [a0, a1, a2, a3, a4, a5] = x;
  const [b0, b1, b2, b3, b4, b5] = y;
  const [c0, c1, c2, c3, c4, c5] = z;
  const [e0, e1, e2, e3, e4, e5] = w;
  for (
    let i0 = 0, p0 = o, q0 = p, r0 = b, l0 = region, m0 = second;
    i0 < s0;
    i0++, p0 += o0, q0 += a0, r0 += b0, l0 += c0, m0 += e0
  )
    for (
      let i1 = 0, p1 = p0, q1 = q0, r1 = r0, l1 = l0, m1 = m0;
      i1 < s1;
      i1++, p1 += o1, q1 += a1, r1 += b1, l1 += c1, m1 += e1
    )
      for (
        let i2 = 0, p2 = p1, q2 = q1, r2 = r1, l2 = l1, m2 = m1;
        i2 < s2;
        i2++, p2 += o2, q2 += a2, r2 += b2, l2 += c2, m2 += e2
      )
        for (
          let i3 = 0, p3 = p2, q3 = q2, r3 = r2, l3 = l2, m3 = m2;
          i3 < s3;
          i3++, p3 += o3, q3 += a3, r3 += b3, l3 += c3, m3 += e3
        )
          for (
            let i4 = 0, p4 = p3, q4 = q3, r4 = r3, l4 = l3, m4 = m3;
            i4 < s4;
            i4++, p4 += o4, q4 += a4, r4 += b4, l4 += c4, m4 += e4
          )
            for (
              let i5 = 0, p5 = p4, q5 = q4, r5 = r4, l5 = l4, m5 = m4;
              i5 < s5;
              i5++, p5 += o5, q5 += a5, r5 += b5, l5 += c5, m5 += e5
            ) {
              const place = data[q5];
              const other = data[m5];
              if (place >= 0 && other >= 0) data[p5] += data[l5 + place + other] * data[r5];
            }
}

/**
 * out[place] += x · y; the first part of the places has the strides of out. The loops are written out again, so that no
 * function is called for each element.
 */
export function addScattered(
  data: Float64Array,
  { sizes, out, x, y, z, w }: Nest,
  p: number,
  second: number,
  a: number,
  b: number,
  region: number,
): void {
  const [s0, s1, s2, s3, s4, s5] = sizes;
  const [o0, o1, o2, o3, o4, o5] = out;
  const [a0, a1, a2, a3, a4, a5] = x;
  const [b0, b1, b2, b3, b4, b5] = y;
  const [c0, c1, c2, c3, c4, c5] = z;
  const [e0, e1, e2, e3, e4, e5] = w;
  for (
    let i0 = 0, p0 = p, q0 = a, r0 = b, l0 = region, m0 = second;
    i0 < s0;
    i0++, p0 += o0, q0 += a0, r0 += b0, l0 += c0, m0 += e0
  )
    for (
      let i1 = 0, p1 = p0, q1 = q0, r1 = r0, l1 = l0, m1 = m0;
      i1 < s1;
      i1++, p1 += o1, q1 += a1, r1 += b1, l1 += c1, m1 += e1
    )
      for (
        let i2 = 0, p2 = p1, q2 = q1, r2 = r1, l2 = l1, m2 = m1;
        i2 < s2;
        i2++, p2 += o2, q2 += a2, r2 += b2, l2 += c2, m2 += e2
      )
        for (
          let i3 = 0, p3 = p2, q3 = q2, r3 = r2, l3 = l2, m3 = m2;
          i3 < s3;
          i3++, p3 += o3, q3 += a3, r3 += b3, l3 += c3, m3 += e3
        )
          for (
            let i4 = 0, p4 = p3, q4 = q3, r4 = r3, l4 = l3, m4 = m3;
            i4 < s4;
            i4++, p4 += o4, q4 += a4, r4 += b4, l4 += c4, m4 += e4
          )
            for (
              let i5 = 0, p5 = p4, q5 = q4, r5 = r4, l5 = l4, m5 = m4;
              i5 < s5;
              i5++, p5 += o5, q5 += a5, r5 += b5, l5 += c5, m5 += e5
            ) {
              const place = data[p5];
              const other = data[m5];
              if (place >= 0 && other >= 0) data[l5 + place + other] += data[q5] * data[r5];
            }
}
