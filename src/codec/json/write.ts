/** Writes tensors and plain values as a JSON object. */
import { dtypeOf, type Dtype } from '../../tensor/tensor.js';
import { isList, isObject, isTensor, type Field, type Fields } from '../fields.js';
import { printTensor } from './wasm/numbers.js';

/**
 * Bytes of a number with its comma. For floats, those from -1 to 1, which are the longest except for numbers with an
 * exponent. Excess space costs nothing, because memory that is never touched is never allocated.
 */
const BYTES_PER_NUMBER: Record<Dtype, number> = { float64: 21, float32: 13, int32: 8, uint8: 2 };

/** Bytes for brackets and for fields that are not tensors. */
const SMALL = 1024;

/** A growing buffer. Needs a single allocation if the size was estimated well. */
class Bytes {
  private readonly full: Buffer[] = [];
  private used = 0;
  private current: Buffer;

  constructor(expected: number) {
    // Not from the slab that small buffers share, because the memory of an answer is moved between threads.
    this.current = Buffer.allocUnsafeSlow(expected);
  }

  add(piece: Uint8Array): void {
    this.reserve(piece.length);
    this.current.set(piece, this.used);
    this.used += piece.length;
  }

  addUtf8(text: string): void {
    // A UTF-16 code unit needs at most three bytes.
    this.reserve(text.length * 3);
    this.used += this.current.write(text, this.used, 'utf8');
  }

  end(): Buffer {
    const last = this.current.subarray(0, this.used);
    return this.full.length === 0 ? last : Buffer.concat([...this.full, last]);
  }

  private reserve(length: number): void {
    if (this.used + length <= this.current.length) return;
    this.full.push(this.current.subarray(0, this.used));
    this.current = Buffer.allocUnsafeSlow(Math.max(length, this.current.length));
    this.used = 0;
  }
}

export function encodeJson(fields: Fields): Buffer {
  const bytes = new Bytes(expectedBytes(fields));
  writeFields(fields, bytes);
  return bytes.end();
}

function expectedBytes(fields: Fields): number {
  let bytes = SMALL;
  for (const value of Object.values(fields)) {
    if (value === undefined) continue;
    if (isTensor(value)) bytes += value.data.length * BYTES_PER_NUMBER[dtypeOf(value.data)];
    else if (isList(value)) for (const entry of value) bytes += expectedBytes(entry);
    else if (isObject(value)) bytes += expectedBytes(value);
  }
  return bytes;
}

function writeFields(fields: Fields, bytes: Bytes): void {
  let separator = '{';
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    bytes.addUtf8(`${separator}${JSON.stringify(name)}:`);
    writeField(value, bytes);
    separator = ',';
  }
  bytes.addUtf8(separator === '{' ? '{}' : '}');
}

function writeField(value: Exclude<Field, undefined>, bytes: Bytes): void {
  if (isTensor(value))
    printTensor(value, (piece) => {
      bytes.add(piece);
    });
  else if (isList(value)) {
    value.forEach((entry, i) => {
      bytes.addUtf8(i === 0 ? '[' : ',');
      writeFields(entry, bytes);
    });
    bytes.addUtf8(']');
  } else if (isObject(value)) writeFields(value, bytes);
  else bytes.addUtf8(jsonText(value));
}

/** Like `JSON.stringify`, except that negative zero is -0.0: Python, Ruby and Java read -0 as the integer 0. */
export function jsonText(value: Exclude<Field, undefined>): string {
  if (Object.is(value, -0)) return '-0.0';
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(jsonText).join(',')}]`;
  const entries = Object.entries(value as Fields).flatMap(([name, entry]) =>
    entry === undefined ? [] : [`${JSON.stringify(name)}:${jsonText(entry)}`],
  );
  return `{${entries.join(',')}}`;
}
