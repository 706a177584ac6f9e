/** Invalid requests of the Open Inference Protocol: each is refused with the position in the request as it was sent. */
import { describe, it } from 'vitest';
import {
  encode,
  inferring,
  inJson,
  expectRefused,
  inputs,
  linear,
  weight,
  x,
  type Encoded,
} from '../../support/inference.js';
import type { Refused } from '../../support/problem.js';
import { serveAll } from '../../support/service.js';

const service = serveAll();
const { send } = inferring(service);

describe('a wrong request', () => {
  const text = (request: object): Encoded => inJson({ ...linear, ...request });
  const bad = (change: object) => inJson(inputs(x, { ...weight, ...change }));
  const binary = encode(linear, () => 'binary');
  const bytes = (change: { add?: number; jsonBytes?: number }): Encoded => ({
    body: Buffer.concat([binary.body, Buffer.alloc(Math.max(0, change.add ?? 0))]).subarray(
      0,
      binary.body.length + (change.add ?? 0),
    ),
    jsonBytes: change.jsonBytes ?? binary.jsonBytes ?? 0,
  });
  const { data: _, ...noData } = weight;

  const request = (type: Refused['type'], says: string | RegExp, ...at: string[]): Refused => ({
    status: 400,
    type,
    says,
    at,
  });
  it.each<[string, Encoded, Refused]>([
    [
      'an unknown field',
      text({ input: [] }),
      request(
        'invalid-request',
        '/input is unknown; expected one of id, model_name, model_version, parameters, inputs, outputs',
        '/input',
      ),
    ],
    ['an id that is a number', text({ id: 42 }), request('invalid-request', '/id is 42; expected a string', '/id')],
    [
      'another model’s name',
      text({ model_name: 'rnn_forward' }),
      request(
        'invalid-request',
        '/model_name is "rnn_forward"; expected "linear_forward", as in the path',
        '/model_name',
      ),
    ],
    [
      'another version',
      text({ model_version: '2' }),
      request('invalid-request', '/model_version is "2"; expected "1", as in the path', '/model_version'),
    ],
    ['no object', inJson([1]), request('invalid-request', 'the body is an array of 1; expected an object', '')],
    [
      'no inputs',
      inJson({}),
      request('invalid-request', '/inputs is missing; expected an array of tensors', '/inputs'),
    ],
    [
      'empty inputs',
      text({ inputs: [] }),
      request('invalid-request', 'input "x" is missing; input "weight" is missing', '/inputs', '/inputs'),
    ],
    ['a missing input', inJson(inputs(x)), request('invalid-request', 'input "weight" is missing', '/inputs')],
    [
      'an unknown input',
      inJson(inputs(x, weight, { ...x, name: 'y' })),
      request('invalid-request', 'input "y" is unknown; expected one of x, weight, bias', '/inputs/2'),
    ],
    [
      'a field of the request twice',
      { body: Buffer.from('{"inputs":[],"inputs":[]}') },
      request('duplicate-name', '/inputs occurs twice; expected each name once', '/inputs'),
    ],
    [
      'a field of an input twice',
      { body: Buffer.from('{"inputs":[{"name":"x","data":[1],"dat\\u0061":[2]}]}') },
      request('duplicate-name', '/inputs/0/data occurs twice; expected each name once', '/inputs/0/data'),
    ],
    [
      'a parameter twice',
      { body: Buffer.from('{"inputs":[],"parameters":{"epsilon":1,"epsilon":2}}') },
      request('duplicate-name', '/parameters/epsilon occurs twice; expected each name once', '/parameters/epsilon'),
    ],
    [
      'a name twice in the JSON text of a parameter',
      { body: Buffer.from(JSON.stringify({ inputs: [], parameters: { stride: '[{"a":1,"a":2}]' } })) },
      request(
        'duplicate-name',
        'in parameter "stride", /0/a occurs twice; expected each name once',
        '/parameters/stride/0/a',
      ),
    ],
    [
      'an input twice',
      inJson(inputs(x, weight, x)),
      request('duplicate-name', '/inputs/2 is "x", as /inputs/0 is; expected each name once', '/inputs/2'),
    ],
    [
      'more inputs than any model has',
      inJson({ inputs: Array.from({ length: 65 }, (_, i) => ({ ...x, name: `x${i}` })) }),
      request('invalid-request', '/inputs has 65 entries; expected at most 64', '/inputs'),
    ],
    [
      'more parameters than any model takes',
      text({ parameters: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`p${i}`, i])) }),
      request('invalid-request', '/parameters has 65 entries; expected at most 64', '/parameters'),
    ],
    [
      'an input that is no object',
      inJson({ ...linear, inputs: [1] }),
      request('invalid-request', '/inputs/0 is 1; expected an object', '/inputs/0'),
    ],
    [
      'an input without a name',
      bad({ name: undefined }),
      request('invalid-request', '/inputs/1/name is missing; expected the name of a tensor', '/inputs/1/name'),
    ],
    [
      'an unknown field of an input',
      bad({ dtype: 'FP64' }),
      request(
        'invalid-request',
        '/inputs/1/dtype is unknown; expected one of name, shape, datatype, parameters, data',
        '/inputs/1/dtype',
      ),
    ],
    [
      'an unknown parameter of an input',
      bad({ parameters: { shared_memory_region: 'r' } }),
      request(
        'invalid-request',
        '/inputs/1/parameters/shared_memory_region is unknown; expected binary_data_size',
        '/inputs/1/parameters/shared_memory_region',
      ),
    ],
    [
      'a datatype that is not spoken',
      bad({ datatype: 'FP16' }),
      request(
        'invalid-tensor',
        'weight has datatype "FP16"; expected one of FP64, FP32, INT64, INT32',
        '/inputs/1/datatype',
      ),
    ],
    [
      'two datatypes of floats',
      bad({ datatype: 'FP32' }),
      request('invalid-tensor', 'weight is FP32; expected FP64, as x is', '/inputs/1/datatype'),
    ],
    [
      'integers where floats are wanted',
      bad({ datatype: 'INT64', data: [1, 2, 3] }),
      request('invalid-tensor', 'weight is INT64 of shape [1, 3]; expected an input of FP64', '/inputs/1/datatype'),
    ],
    [
      'integers of 32 bits where floats are wanted',
      bad({ datatype: 'INT32', data: [1, 2, 3] }),
      request('invalid-tensor', 'weight is INT32 of shape [1, 3]; expected an input of FP64', '/inputs/1/datatype'),
    ],
    [
      'a dtype that the tensors have not',
      text({ parameters: { dtype: 'float32' } }),
      request('invalid-request', 'dtype is float32; expected float64, the dtype of the tensors', '/parameters/dtype'),
    ],
    [
      'no shape',
      bad({ shape: undefined }),
      request('invalid-tensor', /^weight has shape undefined; expected the sizes of 1 to 32 axes/, '/inputs/1/shape'),
    ],
    [
      'an empty axis',
      bad({ shape: [0, 3], data: [] }),
      request(
        'invalid-tensor',
        'weight has shape [0, 3]; expected the sizes of 1 to 32 axes, none of size 0',
        '/inputs/1/shape',
      ),
    ],
    [
      'a size of -1',
      bad({ shape: [-1, 3] }),
      request('invalid-tensor', /^weight has shape \[-1, 3\]; expected/, '/inputs/1/shape'),
    ],
    [
      '33 axes',
      bad({ shape: Array(33).fill(1), data: [1] }),
      request(
        'invalid-tensor',
        /^weight has shape an array of 33; expected the sizes of 1 to 32 axes/,
        '/inputs/1/shape',
      ),
    ],
    [
      'fewer numbers than the shape has',
      bad({ data: [1, 2] }),
      request('invalid-tensor', 'weight has 2 numbers; expected 3, because its shape is [1, 3]', '/inputs/1/data'),
    ],
    [
      'more numbers',
      bad({ data: [1, 2, 3, 4] }),
      request('invalid-tensor', 'weight has 4 numbers; expected 3, because its shape is [1, 3]', '/inputs/1/data'),
    ],
    [
      'another nesting',
      bad({ data: [[1], [2], [3]] }),
      request(
        'invalid-tensor',
        'weight has data nested as [3, 1]; expected [1, 3], its shape, or 3 numbers in one array',
        '/inputs/1/data',
      ),
    ],
    [
      'a shape that overflows',
      bad({ shape: Array(30).fill(2 ** 50), data: [1] }),
      request('invalid-tensor', /^weight has 1 number; expected \S+, because its shape is/, '/inputs/1/data'),
    ],
    [
      'ragged data',
      bad({ data: [[1, 2], [3]] }),
      request('ragged-tensor', /^\/inputs\/1\/data\/1 has 1 entry; expected 2/, '/inputs/1/data/1'),
    ],
    [
      'a null among the numbers',
      bad({ data: [1, null, 3] }),
      request('invalid-tensor', /^\/inputs\/1\/data\/1 is null; expected a number/, '/inputs/1/data/1'),
    ],
    [
      'a string among the numbers',
      bad({ data: [['1', 2, 3]] }),
      request('invalid-tensor', /^\/inputs\/1\/data\/0\/0 is "1"; expected a number/, '/inputs/1/data/0/0'),
    ],
    [
      'no number at all',
      bad({ data: 'AAAA' }),
      request('invalid-tensor', /^\/inputs\/1\/data is "AAAA"; expected a tensor/, '/inputs/1/data'),
    ],
    [
      'empty data',
      bad({ data: [] }),
      request('invalid-tensor', /^\/inputs\/1\/data is an empty array/, '/inputs/1/data'),
    ],
    [
      'no data',
      inJson(inputs(x, noData)),
      request('invalid-tensor', 'weight has neither data nor binary_data_size; expected one of the two', '/inputs/1'),
    ],
    [
      'data and bytes',
      bad({ parameters: { binary_data_size: 24 } }),
      request(
        'invalid-tensor',
        'weight has both data and binary_data_size; expected one of the two',
        '/inputs/1/parameters',
      ),
    ],
    [
      'a size of bytes that the shape has not',
      inJson(inputs(x, { ...noData, parameters: { binary_data_size: 23 } })),
      request(
        'invalid-tensor',
        'weight has binary_data_size 23; expected 24, because it is FP64 of shape [1, 3]',
        '/inputs/1/parameters/binary_data_size',
      ),
    ],
    [
      'a size of bytes that is no number',
      inJson(inputs(x, { ...noData, parameters: { binary_data_size: '24' } })),
      request(
        'invalid-tensor',
        'weight has binary_data_size "24"; expected 24, because it is FP64 of shape [1, 3]',
        '/inputs/1/parameters/binary_data_size',
      ),
    ],
    [
      'bytes that are missing altogether',
      inJson(inputs(x, { ...noData, parameters: { binary_data_size: 24 } })),
      request(
        'invalid-inference-request',
        'the body has 0 bytes after the JSON part; expected 24, the sum of binary_data_size over the inputs',
      ),
    ],
    [
      'a byte too few',
      bytes({ add: -1 }),
      request('invalid-inference-request', /^the body has 71 bytes after the JSON part; expected 72, /),
    ],
    [
      'a byte too many',
      bytes({ add: 1 }),
      request('invalid-inference-request', /^the body has 73 bytes after the JSON part; expected 72, /),
    ],
    [
      'bytes without a length of the JSON part',
      { body: binary.body },
      request('invalid-json', /Inference-Header-Content-Length must give the length of the JSON part$/),
    ],
    [
      'a length over the body',
      bytes({ jsonBytes: 10_000 }),
      request(
        'invalid-inference-request',
        `Inference-Header-Content-Length is 10000; expected at most ${binary.body.length}, the length of the body`,
      ),
    ],
    [
      'a length that is too short',
      bytes({ jsonBytes: 20 }),
      request('invalid-json', /^in the JSON part, the first 20 bytes, the body is not JSON: /),
    ],
    [
      'a length of 0',
      bytes({ jsonBytes: 0 }),
      request('invalid-json', /^in the JSON part, the first 0 bytes, the body is empty/),
    ],
    ['an empty body', { body: Buffer.alloc(0) }, request('invalid-json', 'the body is empty; expected a JSON object')],
    [
      'a body that is not JSON',
      { body: Buffer.from('{"inputs":') },
      request('invalid-json', /^the body is not JSON: /),
    ],
    [
      'what is not JSON behind what is wrong',
      { body: Buffer.from('{"inputs":[{"name":7,"data":[1,]}]}') },
      request('invalid-json', /^the body is not JSON: /),
    ],
    [
      'parameters that are no object',
      text({ parameters: [] }),
      request('invalid-request', '/parameters is an empty array; expected an object', '/parameters'),
    ],
    [
      'an unknown parameter',
      text({ parameters: { epsilon: 1 } }),
      request(
        'invalid-request',
        'parameter "epsilon" is unknown; expected one of dtype, session, binary_data_output, timeout, priority, sequence_id, sequence_start, sequence_end',
        '/parameters/epsilon',
      ),
    ],
    [
      'a parameter that is an array',
      text({ parameters: { session: [1] } }),
      request(
        'invalid-request',
        'parameter "session" is an array of 1; expected a string, a number, true or false; an array is written as its JSON text',
        '/parameters/session',
      ),
    ],
    [
      'a parameter that is null',
      text({ parameters: { session: null } }),
      request('invalid-request', /^parameter "session" is null; expected a string/, '/parameters/session'),
    ],
    [
      'a parameter that only begins as an array',
      text({ parameters: { dtype: '[1,' } }),
      request('invalid-request', 'parameter "dtype" is "[1,"; expected the JSON text of an array', '/parameters/dtype'),
    ],
    [
      'a parameter of the wrong type',
      text({ parameters: { session: 'yes' } }),
      request('invalid-request', 'parameter "session" is "yes"; expected true or false', '/parameters/session'),
    ],
    [
      'a tensor among the parameters',
      inJson({ inputs: [x], parameters: { weight: 1 } }),
      request('invalid-tensor', 'weight is a parameter; expected an input of FP64', '/parameters/weight'),
    ],
    [
      'an option among the inputs',
      inJson({ inputs: [x, weight, { ...x, name: 'session' }] }),
      request('invalid-request', 'input "session" is an object; expected true or false', '/inputs/2'),
    ],
    [
      'a name that is an input and a parameter',
      text({ parameters: { x: 1 } }),
      request('duplicate-name', '"x" is both an input and a parameter; expected one of the two', '/parameters/x'),
    ],
    [
      'binary_data_output that is no boolean',
      text({ parameters: { binary_data_output: 1 } }),
      request(
        'invalid-request',
        'parameter "binary_data_output" is 1; expected true or false',
        '/parameters/binary_data_output',
      ),
    ],
    [
      'an unknown output',
      text({ outputs: [{ name: 'output0' }] }),
      request('invalid-request', '/outputs/0 asks for "output0"; expected one of out', '/outputs/0'),
    ],
    [
      'an output twice',
      text({ outputs: [{ name: 'out' }, { name: 'out' }] }),
      request('duplicate-name', '/outputs/1 is "out", as /outputs/0 is; expected each name once', '/outputs/1'),
    ],
    [
      'an unknown parameter of an output',
      text({ outputs: [{ name: 'out', parameters: { classification: 2 } }] }),
      request(
        'invalid-request',
        '/outputs/0/parameters/classification is unknown; expected binary_data',
        '/outputs/0/parameters/classification',
      ),
    ],
    [
      'binary_data that is no boolean',
      text({ outputs: [{ name: 'out', parameters: { binary_data: 'true' } }] }),
      request(
        'invalid-request',
        '/outputs/0/parameters/binary_data is "true"; expected true or false',
        '/outputs/0/parameters/binary_data',
      ),
    ],
    [
      'outputs that are no array',
      text({ outputs: { name: 'out' } }),
      request('invalid-request', '/outputs is an object; expected an array of tensors', '/outputs'),
    ],
    [
      'shapes that do not fit',
      bad({ shape: [1, 2], data: [1, 2] }),
      {
        status: 422,
        type: 'shape-mismatch',
        says: 'weight has shape [1, 2]; expected [1, 3], because x has 3 features',
        at: ['/inputs/1'],
      },
    ],
  ])('is refused with the position, and the received and expected values: %s', async (_what, encoded, expected) => {
    await expectRefused(await send('linear_forward/infer', encoded), expected);
  });
});
