/**
 * The bridge to the codec's WebAssembly, and the only place that knows of its memory. That memory holds one window of
 * text and what comes of it, under 1 MiB, and never grows: bodies and tensors of any size pass through it.
 */
import { floatArray, type FloatDtype, type Tensor } from '../../../tensor/tensor.js';
import { compileModule } from '../../../wasm/module.js';
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

/** Elements that are copied sooner one by one than by a view of their own. */
const FEW = 64;

/** A body that fits one window stays there from the first look at it to the last, if no other one comes between. */
let resident: Buffer | undefined;

/** Brings the text from `at` on into the window; gives the place where it starts there, and how much there is. */
function load(body: Buffer, at: number): { from: number; length: number; last: boolean } {
  if (body === resident) return { from: at, length: body.length, last: true };
  const whole = body.length <= WINDOW;
  const start = whole ? 0 : at;
  const length = Math.min(WINDOW, body.length - start);
  body.copy(bytes, input, start, start + length);
  resident = whole ? body : undefined;
  return { from: at - start, length, last: start + length === body.length };
}

/** Calls `step` over windows of `body` from `start` on; the end of what it read, or nothing when it gave up. */
function overWindows(
  body: Buffer,
  start: number,
  step: (from: number, length: number, last: boolean) => number,
): number | undefined {
  for (let at = start; ;) {
    const { from, length, last } = load(body, at);
    const status = step(from, length, last);
    const read = (wasm.position.value as number) - from;
    if (status === DONE) return at + read;
    // A token that is longer than a window is left to others, too.
    if (status !== MORE || read === 0) return undefined;
    at += read;
  }
}

/** Where a nested array of numbers ends, and how many numbers it has if it is well-formed; nothing for any doubt. */
export function skipTensor(body: Buffer, start: number): { end: number; elements: number } | undefined {
  wasm.beginSkip();
  const end = overWindows(body, start, wasm.skip);
  return end === undefined ? undefined : { end, elements: (wasm.commas.value as number) + 1 };
}

/** The tensor whose text starts at `start`, each number the nearest of its dtype; nothing for any doubt. */
export function parseTensor(
  body: Buffer,
  start: number,
  elements: number,
  dtype: FloatDtype | 'int32',
): Tensor | undefined {
  const data = dtype === 'int32' ? new Int32Array(elements) : floatArray(dtype, elements);
  const { parse, results } = parsers[dtype];
  let filled = 0;
  wasm.beginParse();
  const end = overWindows(body, start, (from, length, last) => {
    const status = parse(from, length, last);
    const produced = wasm.produced.value as number;
    if (filled + produced > elements) return GIVE_UP;
    if (produced > FEW) data.set(results.subarray(0, produced), filled);
    else for (let i = 0; i < produced; i++) data[filled + i] = results[i];
    filled += produced;
    return status;
  });
  if (end === undefined || filled !== elements) return undefined;
  const shape: number[] = [];
  for (let axis = 1; axis <= wasm.shapeRank(); axis++) shape.push(shapeWords[axis]);
  return { dtype, shape, data };
}

/** Hands the tensor's text to `take`, in pieces that are valid until it returns. */
export function printTensor({ dtype, shape, data }: Tensor, take: (piece: Uint8Array) => void): void {
  const { print, elements } = printers[dtype];
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
