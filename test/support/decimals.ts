/** Numbers and decimals that readers and writers of decimals often get wrong. */

/** Seeded: the same numbers on every run (mulberry32, Tommy Ettinger). */
export function randomBits(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
}

export function fillBits(data: Float64Array | Float32Array, next: () => number): void {
  const words = new Uint32Array(data.buffer);
  for (let i = 0; i < words.length; i++) words[i] = next();
}

/** Signs, limits of the range, powers of two and ten with their neighbours, and midpoints of short decimals. */
export function hardFloat64(): number[] {
  const numbers = [0, 1, 5e-324, 2.225073858507201e-308, 2.2250738585072014e-308, Number.MAX_VALUE, 2 ** 53];
  for (let e = -1074; e <= 1023; e++) numbers.push(2 ** e);
  for (let e = -323; e <= 308; e++)
    numbers.push(Number(`1e${e}`), Number(`9.5e${e}`), Number(`1.7976931348623157e${e}`));
  for (let i = 0; i < 4096; i++)
    numbers.push(i, i / 64, i / 1000, (2 * i + 1) * 2 ** -18, 2 ** 53 + 2 * i, 2 ** 54 - i, 5e-324 * i);
  const around = numbers.flatMap((value) => [value, step(value, 1), step(value, -1)]).filter(Number.isFinite);
  return [...around, ...around.map((value) => -value), NaN, Infinity, -Infinity];
}

export function hardFloat32(): number[] {
  const numbers = [0, 1, 2 ** -149, 2 ** -126, 3.4028234663852886e38, 2 ** 24, 2 ** 24 + 2];
  for (let e = -149; e <= 127; e++) numbers.push(2 ** e);
  for (let e = -45; e <= 38; e++) numbers.push(Number(`1e${e}`), Number(`9.5e${e}`));
  for (let i = 0; i < 4096; i++)
    numbers.push(i, i / 64, i / 1000, (2 * i + 1) * 2 ** -13, 2 ** 24 + 2 * i, 2 ** -149 * i);
  const around = numbers.map(Math.fround).flatMap((value) => [value, step32(value, 1), step32(value, -1)]);
  const finite = around.filter(Number.isFinite);
  return [...finite, ...finite.map((value) => -value), NaN, Infinity, -Infinity];
}

/** The next representable number up or down. */
function step(value: number, by: number): number {
  const data = new Float64Array([value]);
  new BigInt64Array(data.buffer)[0] += BigInt(by);
  return data[0];
}

export function step32(value: number, by: number): number {
  const data = new Float32Array([value]);
  new Int32Array(data.buffer)[0] += by;
  return data[0];
}

/** All digits of a finite positive double, as `digits` * 10^`power`. */
export function exactly(value: number): { digits: bigint; power: number } {
  const data = new Float64Array([value]);
  const bits = new BigUint64Array(data.buffer)[0];
  const biased = Number(bits >> 52n);
  const fraction = bits & 0xfffffffffffffn;
  const significand = biased === 0 ? fraction : fraction | 0x10000000000000n;
  const power = Math.max(biased, 1) - 1075;
  return power >= 0
    ? { digits: significand << BigInt(power), power: 0 }
    : { digits: significand * 5n ** BigInt(-power), power };
}

/** `digits` * 10^`power` in one of several notations. */
export function writeDecimal(digits: bigint, power: number, way: number): string {
  const text = digits.toString();
  switch (way % 4) {
    case 0:
      return `${text}e${power}`;
    case 1:
      return `${text[0]}.${text.slice(1)}0E${power + text.length - 1}`;
    case 2:
      return power >= 0
        ? `${text}${'0'.repeat(power)}.0`
        : `${text.padStart(1 - power, '0').slice(0, power)}.${text.padStart(1 - power, '0').slice(power)}`;
    default:
      return `0.${'0'.repeat(way % 7)}${text}e+${power + text.length + (way % 7)}`.replace('+-', '-');
  }
}

/** The decimal halfway between a double and the next one, and decimals just below and just above it. */
export function halfway(value: number, way: number): [below: string, half: string, above: string] {
  const low = exactly(value);
  const high = exactly(step(value, 1));
  const power = Math.min(low.power, high.power) - 1;
  const scale = ({ digits, power: own }: { digits: bigint; power: number }) => digits * 10n ** BigInt(own - power);
  const half = (scale(low) + scale(high)) / 2n;
  return [
    writeDecimal(half * 10n - 1n, power - 1, way),
    writeDecimal(half, power, way),
    writeDecimal(half * 10n + 1n, power - 1, way),
  ];
}
