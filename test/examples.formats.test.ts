/**
 * The formats of examples/train-digits, tested with the reader and writer of the service, and with the service itself.
 */
import { describe, expect, it } from 'vitest';
import { Client } from '../examples/train-digits/client.js';
import { json } from '../examples/train-digits/json.js';
import { initialWeight, linear, relu, sequence, shift } from '../examples/train-digits/layers.js';
import { uniform } from '../examples/train-digits/random.js';
import { safetensors } from '../examples/train-digits/safetensors.js';
import { filled, Tensor } from '../examples/train-digits/tensor.js';
import { readSafetensors } from '../src/codec/safetensors/read.js';
import { writeSafetensors } from '../src/codec/safetensors/write.js';
import { tensor } from '../src/tensor/tensor.js';
import { serveAll } from './support/service.js';

const values = Float32Array.of(1.5, -0, NaN, Infinity, 1e-45, 1 / 3);

/** A file as another writer might produce it: the header padded with spaces, or not at all. */
function file(header: object, data: Uint8Array, padding: number): ArrayBuffer {
  const text = Buffer.from(JSON.stringify(header) + ' '.repeat(padding));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.byteLength));
  return new Uint8Array(Buffer.concat([length, text, data])).buffer;
}

describe("the example's safetensors", () => {
  it('are read by the service: shapes, bits and options', () => {
    // A view, like the images of a batch: the values around it must not be sent.
    const view = new Float32Array([9, ...values, 9]).subarray(1, -1);
    const bytes = safetensors.write({
      x: new Tensor([2, 3], view),
      mode: 'max',
      weight: new Tensor([1], Float32Array.of(4)),
      session: 'ünï "quoted"',
      epsilon: 1e-5,
      training: false,
    }) as Uint8Array;
    const { tensors, metadata } = readSafetensors(Buffer.from(bytes));
    expect(Object.keys(tensors)).toEqual(['x', 'weight']);
    expect(tensors.x.shape).toEqual([2, 3]);
    expect(tensors.x.data).toEqual(values);
    expect(tensors.weight.data).toEqual(Float32Array.of(4));
    expect(metadata).toEqual({ mode: 'max', session: 'ünï "quoted"', epsilon: 1e-5, training: false });
  });

  it.each(['', 'a', 'ab', 'abc', 'abcd', 'abcde', 'abcdef', 'abcdefg'])(
    'have aligned values for any length of the header: session "%s"',
    (session) => {
      const bytes = safetensors.write({ x: new Tensor([1], Float32Array.of(1)), session }) as Uint8Array;
      expect(bytes.byteLength % 8).toBe(4);
      expect(readSafetensors(Buffer.from(bytes)).metadata).toEqual({ session });
    },
  );

  it('can read the files of the service', () => {
    const pieces = writeSafetensors({
      out: tensor([3, 2], values),
      mean: tensor([1], Float32Array.of(7)),
      session: 'ünï "quoted"',
      pass: true,
    });
    const fields = safetensors.read(new Uint8Array(Buffer.concat(pieces)).buffer);
    expect(fields).toEqual({
      out: new Tensor([3, 2], values),
      mean: new Tensor([1], Float32Array.of(7)),
      session: 'ünï "quoted"',
      pass: true,
    });
  });

  it.each([0, 1, 2, 3, 4, 5, 6, 7])('are read if the data starts %d bytes off alignment', (padding) => {
    const header = { x: { dtype: 'F32', shape: [6], data_offsets: [0, 24] } };
    const fields = safetensors.read(file(header, new Uint8Array(values.buffer), padding));
    expect(fields).toEqual({ x: new Tensor([6], values) });
  });

  it('are refused with another dtype', () => {
    const header = { x: { dtype: 'F64', shape: [1], data_offsets: [0, 8] } };
    expect(() => safetensors.read(file(header, new Uint8Array(8), 0))).toThrow('x is F64; expected F32');
  });
});

describe("the example's JSON", () => {
  it('nests tensors and reads them back', () => {
    const x = new Tensor([1, 2, 3], Float32Array.of(1, 2, 3, 4, 5, 6));
    const text = json.write({ x, mode: 'max' }) as string;
    expect(text).toBe('{"x":[[[1,2,3],[4,5,6]]],"mode":"max"}');
    expect(json.read(new TextEncoder().encode(text).buffer)).toEqual({ x, mode: 'max' });
  });
});

describe("the example's layers", () => {
  // Computed on the event loop: worker threads would need compiled files.
  const service = serveAll();

  it('give the same results over JSON and safetensors, forward and backward, up to rounding', async () => {
    const [overJson, overSafetensors] = await Promise.all(
      [json, safetensors].map(async (format) => {
        const client = new Client(service().url, format);
        const random = uniform(7);
        const network = sequence(
          linear(client, { weight: initialWeight([5, 4], random), bias: initialWeight([5], random) }),
          relu(),
          linear(client, { weight: initialWeight([2, 5], random) }),
        );
        const { out, backward } = await network.forward(initialWeight([3, 4], random), true);
        const { dx, dparameters } = await backward(initialWeight([3, 2], random));
        expect(dparameters.map(({ shape }) => shape)).toEqual(network.parameters.map(({ shape }) => shape));
        return [out, dx, ...dparameters];
      }),
    );
    expect(overSafetensors.map(({ shape }) => shape)).toEqual(overJson.map(({ shape }) => shape));
    // float32 on one side and float64 on the other: a few roundings of 6e-8 each, of values around 1.
    overSafetensors.forEach(({ data }, t) => {
      data.forEach((value, i) => {
        expect(Math.abs(value - overJson[t].data[i])).toBeLessThan(1e-6);
      });
    });
  });

  it('shift images only in training, and shift the gradient back', async () => {
    const image = new Tensor([1, 1, 3, 3], Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9));
    // Of the offsets -1, 0 and 1, these draw one down and one to the left.
    const draws = [0.9, 0.1];
    const layer = shift(1, () => draws.shift() ?? NaN);
    expect((await layer.forward(image, false)).out).toEqual(image);
    const { out, backward } = await layer.forward(image, true);
    expect(out.data).toEqual(Float32Array.of(0, 0, 0, 2, 3, 0, 5, 6, 0));
    expect((await backward(filled([1, 1, 3, 3], 1))).dx.data).toEqual(Float32Array.of(0, 1, 1, 0, 1, 1, 0, 0, 0));
  });
});
