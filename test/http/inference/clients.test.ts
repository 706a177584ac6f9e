/**
 * The Open Inference Protocol and Triton's binary extension, with requests as their clients send them:
 * `tritonclient.http` without Content-Type and Accept, and KServe's `InferenceRESTClient` with application/octet-stream
 * if the request has binary data, and otherwise without Content-Type.
 */
import { describe, expect, it } from 'vitest';
import {
  BINARY,
  bytesOf,
  decode,
  encode,
  inferenceOf,
  inferring,
  inJson,
  inputs,
  linear,
  weight,
  x,
  type Inference,
} from '../../support/inference.js';
import { exchange } from '../../support/raw.js';
import { good } from '../../support/requests.js';
import { call, serveAll } from '../../support/service.js';

const service = serveAll();
const { send, infer } = inferring(service);

describe('a request of Triton’s client', () => {
  it('is accepted unchanged: written by hand, no Content-Type, no Accept, binary data in and out', async () => {
    const json = JSON.stringify({
      id: 'r1',
      inputs: [
        { name: 'x', shape: [1, 2], datatype: 'FP32', parameters: { binary_data_size: 8 } },
        { name: 'weight', shape: [1, 2], datatype: 'FP32', parameters: { binary_data_size: 8 } },
      ],
      parameters: { binary_data_output: true, session: false },
    });
    const tail = Buffer.concat([bytesOf([1, 2], 'FP32'), bytesOf([0.5, 0.25], 'FP32')]);
    const head =
      `POST /v2/models/linear_forward/infer HTTP/1.1\r\nUser-Agent: python/gevent-http-client-2.0.2\r\n` +
      `Inference-Header-Content-Length: ${json.length}\r\nHost: 127.0.0.1\r\nConnection: close\r\n` +
      `Content-Length: ${json.length + tail.length}\r\n\r\n`;
    const answer = await exchange(service().port, Buffer.concat([Buffer.from(head + json), tail]));
    const end = answer.indexOf('\r\n\r\n');
    const answered = answer.slice(0, end).toLowerCase();
    expect(answered).toMatch(/^http\/1\.1 200 ok/);
    expect(answered).toContain(`content-type: ${BINARY}`);
    const length = /inference-header-content-length: (\d+)/.exec(answered)?.[1] ?? null;
    const read = decode(Buffer.from(answer.slice(end + 4), 'latin1'), length);
    expect(read).toEqual({
      model_name: 'linear_forward',
      model_version: '1',
      id: 'r1',
      outputs: [{ name: 'out', datatype: 'FP32', shape: [1, 1], parameters: { binary_data_size: 4 }, numbers: [1] }],
    });
  });

  it('returns the requested outputs in the requested order', async () => {
    const request = inferenceOf('lstm', good.lstm.forward, 'float64');
    const outputs = [
      { name: 'c_n', parameters: { binary_data: true } },
      { name: 'out', parameters: { binary_data: false } },
      { name: 'h_n' },
    ];
    for (const binary of [false, true]) {
      const parameters = { ...request.parameters, binary_data_output: binary };
      const answer = await infer(
        'lstm_forward',
        encode({ ...request, parameters, outputs }, () => 'binary'),
      );
      expect(answer.outputs.map(({ name, data }) => [name, data === undefined])).toEqual([
        ['c_n', true],
        ['out', false],
        ['h_n', binary],
      ]);
      expect(answer.parameters?.session).toMatch(/^[\w-]{22,}$/);
      const expected = await call(service(), 'lstm', good.lstm.forward);
      for (const { name, numbers } of answer.outputs) expect(numbers).toEqual((expected[name] as number[]).flat(3));
    }
  });

  it('may name the version, which is returned', async () => {
    const sent = await send('linear_forward/versions/1/infer', inJson(linear));
    expect(sent.status).toBe(200);
    expect(decode(sent.bytes, null)).toMatchObject({ model_name: 'linear_forward', model_version: '1' });
  });
});

describe('a request of KServe’s client', () => {
  it('is accepted unchanged: with the model’s name, application/octet-stream, Accept */*', async () => {
    const request = { id: 'b9e7', model_name: 'linear_forward', ...linear };
    const answer = await infer(
      'linear_forward',
      encode(request, (i) => (i === 0 ? 'binary' : 'flat')),
      {
        'content-type': BINARY,
        accept: '*/*',
      },
    );
    expect(answer).toEqual({
      model_name: 'linear_forward',
      model_version: '1',
      id: 'b9e7',
      outputs: [{ name: 'out', datatype: 'FP64', shape: [2, 1], data: [-1, -1], numbers: [-1, -1] }],
    });
  });

  it.each([
    ['application/json', 'application/json'],
    ['application/json; charset=utf-8', 'application/json'],
    [BINARY, BINARY],
    [BINARY, 'text/html, */*;q=0.1'],
  ])('is accepted with Content-Type %s and Accept %s', async (type, accept) => {
    const headers = { 'content-type': type, accept };
    expect((await infer('linear_forward', inJson(linear), headers)).outputs[0].numbers).toEqual([-1, -1]);
    const binary = encode(
      { ...linear, parameters: { ...linear.parameters, binary_data_output: true } },
      () => 'binary',
    );
    expect((await infer('linear_forward', binary, headers)).outputs[0].numbers).toEqual([-1, -1]);
  });

  it('may have null for an absent optional field', async () => {
    const absent = { id: null, model_name: null, outputs: null };
    const request = { ...absent, ...linear, inputs: [{ ...x, parameters: null }, weight] };
    expect((await infer('linear_forward', inJson(request))).outputs[0].numbers).toEqual([-1, -1]);
    const { data: _, ...rest } = x;
    const inBinary = Buffer.from(
      JSON.stringify({ ...linear, inputs: [{ ...rest, data: null, parameters: { binary_data_size: 48 } }, weight] }),
    );
    const body = Buffer.concat([inBinary, bytesOf(x.data, 'FP64')]);
    const answer = await infer('linear_forward', { body, jsonBytes: inBinary.length });
    expect(answer.outputs[0].numbers).toEqual([-1, -1]);
  });
});

describe('numbers', () => {
  it('that are not finite are strings in JSON, and ordinary values in binary data', async () => {
    const odd = { ...x, shape: [3, 1], data: ['NaN', 'Infinity', '-Infinity'] };
    const one = { ...weight, shape: [1, 1], data: [1] };
    const json = await infer('linear_forward', inJson(inputs(odd, one)));
    expect(json.outputs[0].data).toEqual(['NaN', 'Infinity', '-Infinity']);
    const parameters = { session: false, binary_data_output: true };
    const binary = await infer(
      'linear_forward',
      encode({ inputs: [odd, one], parameters }, () => 'binary'),
    );
    expect(binary.outputs[0].numbers).toEqual([NaN, Infinity, -Infinity]);
  });

  it('of FP32 are written as their shortest decimals, and computed in float32', async () => {
    const single = inputs(
      { ...x, datatype: 'FP32', data: [0.1, 0, 0, 0.3, 0, 0] },
      { ...weight, datatype: 'FP32', data: [1, 1, 1] },
    );
    const { bytes } = await send('linear_forward/infer', inJson(single));
    expect(bytes.toString()).toContain('"data":[0.1,0.3]');
    const told = { ...single, parameters: { ...linear.parameters, dtype: 'float32' } };
    expect((await infer('linear_forward', inJson(told))).outputs[0].datatype).toBe('FP32');
  });

  it.each([0, 1, 2, 3, 4, 5, 6, 7])('are read from bytes that begin %d bytes off alignment', async (blanks) => {
    for (const datatype of ['FP64', 'FP32']) {
      const request = encode(inputs({ ...x, datatype }, { ...weight, datatype }) as Inference, () => 'binary');
      const json = Buffer.concat([request.body.subarray(0, request.jsonBytes), Buffer.alloc(blanks, ' ')]);
      const body = Buffer.concat([json, request.body.subarray(request.jsonBytes)]);
      const answer = await infer('linear_forward', { body, jsonBytes: json.length });
      expect(answer.outputs[0].numbers).toEqual([-1, -1]);
    }
  });

  it('are accepted by the hundred thousand, flat and in binary', async () => {
    const data = Array.from({ length: 200_000 }, (_, i) => (i % 1000) / 7);
    const large = { name: 'x', shape: [400, 500], datatype: 'FP64', data };
    for (const way of ['flat', 'binary'] as const)
      for (const binary of [false, true]) {
        const request = {
          inputs: [large],
          parameters: { training: false, session: false, binary_data_output: binary },
        };
        const { outputs } = await infer(
          'dropout_forward',
          encode(request, () => way),
        );
        expect(outputs[0].shape).toEqual([400, 500]);
        expect(outputs[0].numbers).toEqual(data);
      }
  });
});
