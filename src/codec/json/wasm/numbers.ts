/**
 * The bridge to the codec's WebAssembly, and the only module that uses its memory. The memory holds one window of text
 * and its result, less than 1 MiB, and never grows: bodies and tensors of any size pass through it.
 */
import { dtypeOf, floatArray, type FloatDtype, type Tensor } from '../../../tensor/tensor.js';
import { compileModule } from '../../../platform/wasm-module.js';
import { exactFloat32 } from './exact.js';

interface Exports {
  readonly memory: WebAssembly.Memory;
  readonly WINDOW: WebAssembly.Global;
  readonly PIECE: WebAssembly.Global;
  readonly position: WebAssembly.Global;
  readonly commas: WebAssembly.Global;
  readonly produced: WebAssembly.Global;
  readonly input: () => number;
  readonly output: () => number;
  readonly shape: () => number;
  readonly beginSkip: () => void;
  readonly skip: (from: number, length: number, last: boolean) => number;
  readonly beginParse: () => void;
  readonly shapeRank: () => number;
  readonly parse64: Parse;
  readonly parse32: Parse;
  readonly parseInt32: Parse;
  readonly beginPrint: (rank: number) => void;
  readonly print64: Print;
  readonly print32: Print;
  readonly printInt32: Print;
  readonly printUint8: Print;
}
type Parse = (from: number, length: number, last: boolean) => number;
type Print = (count: number) => number;

/** How a call ended: `assembly/status.ts`. */
const DONE = 0;
const MORE = 1;
const GIVE_UP = 2;

const { exports } = new WebAssembly.Instance(compileModule('json', 'simd'), {
  parse: {
    exactly64: (start: number, end: number) => Number(text(start, end)),
    exactly32: (start: number, end: number) => exactFloat32(text(start, end)),
  },
});
const text = (start: number, end: number) => bytes.toString('latin1', input + start, input + end);
const wasm = exports as unknown as Exports;
const bytes = Buffer.from(wasm.memory.buffer);
const input = wasm.input();
const output = wasm.output();
const WINDOW = wasm.WINDOW.value as number;
const PIECE = wasm.PIECE.value as number;
const { buffer } = wasm.memory;
const parsers = {
  float64: { parse: wasm.parse64, results: new Float64Array(buffer, output, WINDOW / 2) },
  float32: { parse: wasm.parse32, results: new Float32Array(buffer, output, WINDOW / 2) },
  int32: { parse: wasm.parseInt32, results: new Int32Array(buffer, output, WINDOW / 2) },
} as const;
const printers = {
  float64: { print: wasm.print64, elements: new Float64Array(buffer, input, PIECE) },
  float32: { print: wasm.print32, elements: new Float32Array(buffer, input, PIECE) },
  int32: { print: wasm.printInt32, elements: new Int32Array(buffer, input, PIECE) },
  uint8: { print: wasm.printUint8, elements: new Uint8Array(buffer, input, PIECE) },
} as const;
/** Size of each axis from the second word on. */
const shapeWords = new Int32Array(wasm.memory.buffer, wasm.shape(), 33);

/** Up to this many elements, copying one by one is faster than creating a view. */
const FEW = 64;

/** The body in the window, if it fits as a whole: it is not copied again until the window is overwritten. */
let resident: Buffer | undefined;

/** Bytes of the first window when skipping a tensor: small tensors stay cheap, of which a list may have a million. */
const FIRST_LOOK = 4096;

/** A tensor's text in a body. */
export interface TensorSpan {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  /** Number of elements if the tensor is well-formed; undefined if the fast reader did not find its end. */
  readonly elements: number | undefined;
}

/**
 * Copies the text from `at` to `end` into the window, at most `most` bytes of it, or the whole body if it fits.
 * @returns where the text starts in the window, how far the window is filled, and whether that is all of the text
 */
function load(body: Buffer, at: number, end: number, most: number): { from: number; length: number; last: boolean } {
  if (body === resident) return { from: at, length: body.length, last: true };
  if (body.length <= WINDOW) {
    body.copy(bytes, input);
    resident = body;
    return { from: at, length: body.length, last: true };
  }
  const length = Math.min(most, end - at);
  body.copy(bytes, input, at, at + length);
  resident = undefined;
  return { from: 0, length, last: at + length === end };
}

/**
 * Calls `step` for consecutive windows of `body` from `start` on.
 * @returns the end of what it has read, or undefined if it gave up
 */
function overWindows(
  body: Buffer,
  start: number,
  end: number,
  firstWindow: number,
  step: (from: number, length: number, last: boolean) => number,
): number | undefined {
  for (let at = start, most = firstWindow; ; most = WINDOW) {
    const { from, length, last } = load(body, at, end, most);
    const status = step(from, length, last);
    const read = (wasm.position.value as number) - from;
    if (status === DONE) return at + read;
    // A token that is longer than a window is also left to the plain reader.
    if (status !== MORE || (read === 0 && most === WINDOW)) return undefined;
    at += read;
  }
}

/** The end of a nested array of numbers, and how many numbers it has if it is well-formed; undefined if in doubt. */
export function skipTensor(body: Buffer, start: number): { end: number; elements: number } | undefined {
  wasm.beginSkip();
  const end = overWindows(body, start, body.length, FIRST_LOOK, wasm.skip);
  return end === undefined ? undefined : { end, elements: (wasm.commas.value as number) + 1 };
}

/** The tensor of a text, with each number rounded to the nearest of the dtype; undefined if in doubt. */
export function parseTensor(
  { bytes: body, start, end, elements }: TensorSpan,
  dtype: FloatDtype | 'int32',
): Tensor | undefined {
  if (elements === undefined) return undefined;
  const data = dtype === 'int32' ? new Int32Array(elements) : floatArray(dtype, elements);
  const { parse, results } = parsers[dtype];
  let filled = 0;
  wasm.beginParse();
  const read = overWindows(body, start, end, WINDOW, (from, length, last) => {
    const status = parse(from, length, last);
    const produced = wasm.produced.value as number;
    if (filled + produced > elements) return GIVE_UP;
    if (produced > FEW) data.set(results.subarray(0, produced), filled);
    else for (let i = 0; i < produced; i++) data[filled + i] = results[i];
    filled += produced;
    return status;
  });
  if (read === undefined || filled !== elements) return undefined;
  const shape: number[] = [];
  for (let axis = 1; axis <= wasm.shapeRank(); axis++) shape.push(shapeWords[axis]);
  return { shape, data };
}

/** Passes the tensor's text to `take` in pieces, each of which is valid only until `take` returns. */
export function printTensor({ shape, data }: Tensor, take: (piece: Uint8Array) => void): void {
  const { print, elements } = printers[dtypeOf(data)];
  resident = undefined;
  shapeWords.set(shape, 1);
  wasm.beginPrint(shape.length);
  for (let start = 0; start < data.length; start += PIECE) {
    const count = Math.min(PIECE, data.length - start);
    elements.set(data.length <= PIECE ? data : data.subarray(start, start + count));
    const length = print(count);
    take(bytes.subarray(output, output + length));
  }
}
