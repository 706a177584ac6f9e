/** How clients affect each other: a small request during large ones, and two large ones at once. */
import { codecs } from '../src/codec/codecs.js';
import type { Fields } from '../src/codec/fields.js';
import { plain } from '../src/kernels/plain/plain.js';
import { batchnorm } from '../src/layers/batchnorm.js';
import { convolution } from '../src/layers/convolution.js';
import { sizeOf, tensor, type FloatArray } from '../src/tensor/tensor.js';
import { expectAgreement } from './agreement.js';
import { wants, type Options } from './options.js';
import { post, startPoster, type Request } from './post.js';
import { randomTensor } from './random.js';
import { median, quantile } from './rounds.js';
import { withService } from './service.js';
import type { Report } from './table.js';

/** Sizes of the small and the large batchnorm. */
const SMALL = 64;
const LARGE = 1024;
const NEIGHBOURS = 4;

/** Takes about a third of a second. */
const CONVOLUTION = { N: 16, C: 128, S: 56, O: 128 };

export async function clients(options: Options, report: Report): Promise<void> {
  await withService({}, (url) => clientsOf(url, '', options, report));
}

export async function clientsOf(url: string, suffix: string, options: Options, report: Report): Promise<void> {
  if (wants(options, 'batchnorm')) await fairness(url, suffix, options, report);
  if (wants(options, 'convolution')) await atOnce(url, suffix, options, report);
}

/** The latency of small requests, first on an idle service and then while other clients post large ones. */
async function fairness(url: string, suffix: string, { rounds = 3, seconds = 5 }: Options, report: Report) {
  const [small, large] = [SMALL, LARGE].map((size) => batchnormRequest(size));
  await expectAnswer(url, small);
  await expectAnswer(url, large);
  const alone: number[] = [];
  const beside: number[] = [];
  for (let round = 0; round < rounds; round++) {
    alone.push(...(await post(url, small, 1, seconds)));
    const neighbours = startPoster(url, large, NEIGHBOURS, 2 * seconds + 60);
    await neighbours.line();
    beside.push(...(await post(url, small, 1, seconds)));
    await neighbours.stop();
  }
  for (const [name, share] of Object.entries({ p50: 0.5, p99: 0.99 }))
    report({
      what: `batchnorm ${SMALL} × ${SMALL} beside four clients of ${LARGE} × ${LARGE}, ${name}${suffix}`,
      unit: 'time',
      layerd: { value: quantile(beside, share) * 1e6, more: `${beside.length} requests` },
      beside: [{ name: 'alone', value: quantile(alone, share) * 1e6 }],
    });
}

async function atOnce(url: string, suffix: string, { rounds = 3, seconds = 3 }: Options, report: Report) {
  const large = convolutionRequest();
  await expectAnswer(url, large);
  const one: number[] = [];
  const two: number[] = [];
  for (let round = 0; round < rounds; round++) {
    one.push(median(await post(url, large, 1, seconds)));
    two.push(median(await post(url, large, 2, seconds)));
  }
  report({
    what: `two large convolutions at once${suffix}`,
    unit: 'time',
    layerd: { value: median(two) * 1e6 },
    beside: [{ name: 'one alone', value: median(one) * 1e6 }],
  });
}

/** A request, and the last numbers of the right answer's `out`. */
interface Checked extends Request {
  readonly expected: FloatArray;
}

function batchnormRequest(size: number): Checked {
  const x = randomTensor('float64', [size, size], 1);
  const [gamma, beta] = [randomTensor('float64', [size], 2), randomTensor('float64', [size], 3)];
  const plan = batchnorm.plan({ x, gamma, beta }, { training: true, epsilon: 1e-8, momentum: 0.1 });
  const expected = batchnorm.forward({ x, gamma, beta }, plan, plain).outputs.out.data;
  return { ...bodyOf('application/json', { x, gamma, beta, session: false }), path: '/batchnorm/forward', expected };
}

function convolutionRequest(): Checked {
  const { N, C, S, O } = CONVOLUTION;
  const x = randomTensor('float32', [N, C, S, S], 1);
  const [weight, bias] = [randomTensor('float32', [O, C, 3, 3], 2, 1 / 16), randomTensor('float32', [O], 3)];
  // Plain kernels take seconds for one image of the batch. Images are independent, so comparing one is enough.
  const last = tensor([1, C, S, S], x.data.subarray(x.data.length - sizeOf([C, S, S])));
  const options = { stride: 1, padding: 1, dilation: 1, groups: 1, transposed: false, output_padding: 0 };
  const inputs = { x: last, weight, bias };
  const expected = convolution.forward(inputs, convolution.plan(inputs, options), plain).outputs.out.data;
  const body = bodyOf('application/vnd.safetensors', { x, weight, bias, padding: 1, session: false });
  return { ...body, path: '/convolution/forward', expected };
}

function bodyOf(type: Request['type'], fields: Fields): Pick<Request, 'type' | 'body'> {
  return { type, body: Buffer.concat(codecs[type].encode(fields)) };
}

/** @throws {Error} if the service does not return the right answer */
async function expectAnswer(url: string, { path, type, body, expected }: Checked): Promise<void> {
  const response = await fetch(url + path, { method: 'POST', headers: { 'content-type': type }, body });
  const answer = Buffer.from(await response.arrayBuffer());
  if (!response.ok) throw new Error(`${path} answered ${response.status}: ${answer.toString('utf8', 0, 300)}`);
  const dtype = expected instanceof Float64Array ? 'float64' : 'float32';
  const { data } = codecs[type].decode(answer, { out: true }).floats(['out'], dtype);
  expectAgreement(`${path}: out`, data.subarray(-expected.length), expected, dtype);
}
