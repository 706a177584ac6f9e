/** From tensors and plain values to the bytes of a JSON object. */
import type { Dtype } from '../../tensor/tensor.js';
import { isList, isObject, isTensor, type Field, type Fields } from '../fields.js';
import { printTensor } from './wasm/memory.js';

/**
 * Bytes that a number takes with its comma: of float64 and float32 from -1 to 1, which are the longest but for those
 * with an exponent. Room that is left over is memory that was never touched.
 */
const BYTES_PER_NUMBER: Record<Dtype, number> = { float64: 21, float32: 13, int32: 8, uint8: 2 };

/** For brackets, and for what is no tensor. */
const SMALL = 1024;

/** Bytes in the order they come. One allocation if it was foreseen well. */
class Bytes {
  private readonly full: Buffer[] = [];
  private used = 0;
  private current: Buffer;

  constructor(expected: number) {
    // Not of the slab that small buffers share: an answer's memory moves between threads.
    this.current = Buffer.allocUnsafeSlow(expected);
  }

  add(piece: Uint8Array): void {
    this.reserve(piece.length);
    this.current.set(piece, this.used);
    this.used += piece.length;
  }

  addUtf8(text: string): void {
    // A UTF-16 unit takes three bytes at most.
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
    if (isTensor(value)) bytes += value.data.length * BYTES_PER_NUMBER[value.dtype];
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
  else bytes.addUtf8(JSON.stringify(value));
}
