/** Valid requests, made invalid at random: as JSON values, as bytes, and in everything other than the body. */
import { Dtype } from '../../schemas/request.js';
import {
  backwardWith,
  checkWith,
  forwardWith,
  good,
  layerNames,
  schemasOf,
  type Body,
  type LayerName,
} from './requests.js';
import { encode, inferenceOf, type Inference } from './inference.js';
import { randomNumbers } from './random.js';

export interface MutatedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Placeholders for text that JSON.stringify cannot write; they are replaced in the result. */
const RAW = new Map([
  ['@@overflow@@', '1e400'],
  ['@@underflow@@', '-1e-400'],
  ['@@precise@@', '0.1000000000000000055511151231257827021181583404541015625000001'],
  ['@@huge@@', '123456789012345678901234567890'],
  ['@@deep@@', `${'['.repeat(5000)}1${']'.repeat(5000)}`],
  ['@@deep objects@@', `${'{"x":'.repeat(500)}1${'}'.repeat(500)}`],
  ['@@open@@', '['.repeat(50)],
]);

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** The position of a value: in an array or an object. */
type Place =
  { readonly holder: Json[]; readonly key: number } | { readonly holder: Record<string, Json>; readonly key: string };

class Mutator {
  private readonly next: () => number;

  constructor(seed: number) {
    this.next = randomNumbers(seed).next;
  }

  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<Value>(values: readonly Value[]): Value {
    return values[this.below(values.length)];
  }

  /** A value that is rarely the right one. */
  odd(): Json {
    const oddities: (() => Json)[] = [
      () => null,
      () => this.chance(0.5),
      () => this.pick([0, -0, 1, -1, 2, 3, 0.5, 1.5, -0.1]),
      () => this.pick([1e9, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), 2 ** 32, 2 ** 53 - 1, 2 ** 53, -(2 ** 63), 1e18]),
      () => this.pick([1e308, -1e308, 5e-324, 3.5e38, 1e-50]),
      () => this.pick([...RAW.keys()]),
      () => this.pick(['', '1', 'x', 'NaN', 'Infinity', '-Infinity', 'nan', 'true', 'same', 'valid', 'max', 'average']),
      () =>
        this.pick([
          'forward',
          'bidirectional',
          'reverse',
          'float32',
          'float16',
          'test_time',
          '\u0000',
          '\ud800',
          'é€😀',
        ]),
      () => 'y'.repeat(this.below(3000)),
      () => this.pick<Json>([[], {}, [[]], [[[]]], [null], ['1'], [[1], 2], { length: 3 }, [{}], { x: [1] }]),
      () => Array.from({ length: this.below(2000) }, () => 1),
      () => Array.from({ length: this.below(50) }, () => [this.below(10)]),
      () => this.tensor(1 + this.below(6)),
    ];
    return this.pick(oddities)();
  }

  /** Nested arrays, sometimes ragged. */
  private tensor(rank: number): Json {
    if (rank === 0) return this.chance(0.02) ? this.pick<Json>(['NaN', null, '0.5', []]) : this.below(7) - 3;
    const size = this.chance(0.05) ? 0 : 1 + this.below(3);
    const row = Array.from({ length: size }, () => this.tensor(rank - 1));
    if (this.chance(0.02)) row.push(1);
    return row;
  }

  /**
   * A random position in a value other than its root; outer positions are as likely as the more numerous inner ones.
   */
  private place(root: Json): Place | undefined {
    let found: Place | undefined;
    let value = root;
    while (typeof value === 'object' && value !== null) {
      const holder = value;
      const keys = Object.keys(holder);
      if (keys.length === 0 || (found && this.chance(0.3))) break;
      const key = this.pick(keys);
      found = Array.isArray(holder) ? { holder, key: Number(key) } : { holder, key };
      value = Array.isArray(holder) ? holder[Number(key)] : holder[key];
    }
    return found;
  }

  private mutate(root: Json): Json {
    const place = this.place(root);
    if (!place || this.chance(0.01)) return this.odd();
    const { holder, key } = place as { holder: Record<string, Json>; key: string };
    const value = holder[key];
    const set = (replacement: Json) => {
      // Assigning to __proto__ would set no property.
      Object.defineProperty(holder, key, { value: replacement, enumerable: true, configurable: true, writable: true });
    };
    const changes: (() => void)[] = [
      () => {
        set(this.odd());
      },
      () => {
        set([value]);
      },
      () => {
        if (Array.isArray(value)) set(value.length > 0 && this.chance(0.5) ? value[0] : value.flat(1));
        else set(typeof value === 'string' ? Number(value) || 0 : JSON.stringify(value));
      },
      () => {
        if (typeof value === 'number')
          set(this.pick([-value, value * 1e9, value + 0.5, value / 3, 2 ** Math.abs(value % 60)]));
        else set(this.odd());
      },
      () => {
        if (Array.isArray(holder)) holder.splice(this.below(holder.length), 1);
        else Reflect.deleteProperty(holder, key);
      },
      () => {
        if (Array.isArray(holder))
          holder.splice(this.below(holder.length + 1), 0, this.chance(0.5) ? value : this.odd());
        else this.addTo(holder);
      },
      () => {
        const other = this.place(root) as { holder: Record<string, Json>; key: string } | undefined;
        // A copy, because a value inside itself could not be written.
        if (other) set(structuredClone(other.holder[other.key]));
      },
      () => {
        if (Array.isArray(value)) value.reverse();
        else if (!Array.isArray(holder)) {
          Reflect.deleteProperty(holder, key);
          holder[`${key}s`] = value;
        }
      },
    ];
    this.pick(changes)();
    return root;
  }

  private addTo(holder: Record<string, Json>): void {
    const names = ['', 'y', '__proto__', 'constructor', 'toString', 'a/b', 'c~d', 'é', 'session', 'forward', 'release'];
    const key = this.pick([...names, 'dout', 'x', 'dtype', 'training', 'k'.repeat(this.below(500))]);
    Object.defineProperty(holder, key, { value: this.odd(), enumerable: true, configurable: true, writable: true });
  }

  /** An option of the layer, with a value that may be valid and may request enormous work. */
  options(layer: LayerName, body: Body): Json {
    const value = structuredClone(body) as Record<string, Json>;
    const holder = (value.forward ?? value) as Record<string, Json>;
    const size = () => this.pick([0, 1, 1, 1, 2, 2, 3, 4, 7, 50_000, 1e6, 1e9, 2 ** 31 - 1]);
    const axes = this.chance(0.5) ? 1 : 2;
    do {
      const [option, { type, anyOf }] = this.pick(
        Object.entries({ ...schemasOf(layer).options.properties, dtype: Dtype }),
      );
      const literals = [anyOf as { const?: string }[] | undefined].flat().flatMap((choice) => choice?.const ?? []);
      const values: (() => Json)[] = [
        size,
        size,
        () => Array.from({ length: axes }, size),
        () => Array.from({ length: axes }, () => [size(), size()]),
      ];
      if (type === 'boolean') holder[option] = this.chance(0.5);
      else if (type === 'number') holder[option] = this.next();
      else if (literals.length > 0 && this.chance(0.3)) holder[option] = this.pick(literals);
      else holder[option] = this.pick(values)();
    } while (this.chance(0.5));
    return value;
  }

  values(body: Body): Json {
    let value = structuredClone(body) as Json;
    do value = this.mutate(value);
    while (this.chance(0.3));
    return value;
  }

  bytes(from: string | Buffer): Buffer {
    let bytes: Buffer = Buffer.from(from);
    const times = 1 + this.below(3);
    for (let i = 0; i < times; i++) {
      const at = this.below(bytes.length + 1);
      const end = at + this.below(20);
      const junk = this.pick<() => Buffer>([
        () =>
          Buffer.from(this.pick(['[', ']', '{', '}', ',', ':', '"', '\\', '-', '.', 'e', '0', ' ', '\n', '\u0000'])),
        () =>
          Buffer.from(
            this.pick(['null', 'NaN', '1e999', '"x":', '\\u0000', '\\ud800', '\uFEFF', '//', '[[[[[[', ']]]]']),
          ),
        () => Buffer.from([this.below(256)]),
        () => Buffer.from([0xff, 0xfe, 0xc0, 0x80].slice(this.below(4))),
      ])();
      bytes = this.pick<() => Buffer>([
        () => Buffer.concat([bytes.subarray(0, at), junk, bytes.subarray(at)]),
        () => Buffer.concat([bytes.subarray(0, at), junk, bytes.subarray(end)]),
        () => Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)]),
        () => Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)]),
        () => bytes.subarray(0, at),
        () => {
          const flipped = Buffer.from(bytes);
          if (at < flipped.length) flipped[at] = (flipped[at] ?? 0) ^ (1 << this.below(8));
          return flipped;
        },
      ])();
    }
    return bytes;
  }

  path(path: string): string {
    const at = 1 + this.below(path.length);
    return this.pick([
      `${path}/`,
      `${path}?values=true`,
      `${path}?x=${this.below(10)}`,
      path.toUpperCase(),
      path.slice(0, at),
      `${path.slice(0, at)}%${this.pick(['', '2', '2F', '00', 'zz', 'E0%A4'])}${path.slice(at)}`,
      `${path.slice(0, at)}${this.pick(['/', '//', '..', '.', '*', ':', ';', '?', '&', '='])}${path.slice(at)}`,
      `${path}/${'p'.repeat(this.below(300))}`,
    ]);
  }
}

const OTHER_ROUTES = [
  ['GET', '/v2'],
  ['GET', '/v2/models/linear_forward'],
  ['GET', '/v2/models/linear_forward/versions/1/ready'],
  ['GET', '/v2/health/ready'],
  ['GET', '/layers'],
  ['GET', '/layers/linear'],
  ['GET', '/sessions/'],
  ['DELETE', '/sessions/'],
  ['GET', '/openapi.json'],
  ['GET', '/docs'],
  ['GET', '/health/live'],
  ['GET', '/health/ready'],
  ['GET', '/metrics'],
] as const;

const MEDIA_TYPES = [
  'text/plain',
  'application/xml',
  'application/jsonp',
  '*/*',
  'application/json; charset=utf-16',
  ';',
  'a/b/c',
];

/** As text, including what JSON.stringify cannot write. */
function written(value: Json): string {
  const text = JSON.stringify(value).replaceAll(/"(@@[\w ]+@@)"/g, (_, name: string) => RAW.get(name) ?? 'null');
  // Sessions must not be released, because later requests use them.
  return text.replaceAll('"release":true', '"release":false');
}

/**
 * A request of the Open Inference Protocol with an error in its JSON part, its binary part, or the length of either.
 */
function mutatedInference(mutator: Mutator, layer: LayerName, body: Body): MutatedRequest {
  const direction = 'dout' in body || 'dh_n' in body ? 'backward' : 'forward';
  const dtype = mutator.pick(['float64', 'float32'] as const);
  const good: Inference = inferenceOf(layer, body, dtype);
  const way = mutator.pick(['nested', 'flat', 'binary', 'mixed'] as const);
  const { body: bytes, jsonBytes } = encode(good, () =>
    way === 'mixed' ? mutator.pick(['nested', 'flat', 'binary'] as const) : way,
  );
  const length = jsonBytes ?? bytes.length;
  const json = bytes.toString('utf8', 0, length);
  const tail = bytes.subarray(length);
  const path = `/v2/models/${layer}_${direction}/infer`;
  const whole = (text: Buffer, after: Buffer, said = text.length): MutatedRequest => {
    const told = jsonBytes === undefined && said === text.length && mutator.chance(0.5) ? undefined : said;
    const headers = {
      ...(told === undefined ? {} : { 'inference-header-content-length': String(told) }),
      ...(mutator.chance(0.5)
        ? { 'content-type': mutator.pick(['application/json', 'application/octet-stream']) }
        : {}),
    };
    return { method: 'POST', path, headers, body: Buffer.concat([text, after]) };
  };
  const wanted = mutator.pick<Json>([
    [],
    [{ name: 'out', parameters: { binary_data: true } }],
    [{ name: 'dx' }],
    [{ name: 'mask' }, { name: 'out', parameters: { binary_data: false } }],
  ]);
  return mutator.pick<() => MutatedRequest>([
    () => whole(Buffer.from(json), tail),
    ...Array<() => MutatedRequest>(6).fill(() =>
      whole(Buffer.from(written(mutator.values(JSON.parse(json) as Body))), tail),
    ),
    ...Array<() => MutatedRequest>(3).fill(() => whole(mutator.bytes(json), tail)),
    ...Array<() => MutatedRequest>(2).fill(() => whole(Buffer.from(json), mutator.bytes(tail.toString('latin1')))),
    () => whole(Buffer.from(json), tail, mutator.pick([0, 1, length - 1, length + 1, bytes.length, 2 ** 40])),
    () => whole(Buffer.from(JSON.stringify({ ...(JSON.parse(json) as object), outputs: wanted })), tail),
    () => ({
      ...whole(Buffer.from(json), tail),
      headers: { 'inference-header-content-length': mutator.pick(['', '-1', 'x', '1e3', '0x20', ' 7', '7, 7']) },
    }),
    () => ({ ...whole(Buffer.from(json), tail), path: mutator.path(path) }),
  ])();
}

/**
 * @param seed determines the request completely
 * @param tokens of live sessions, by layer
 */
export function mutatedRequest(seed: number, tokens: Readonly<Record<string, string>>): MutatedRequest {
  const mutator = new Mutator(seed);
  const json = { 'content-type': 'application/json' };
  if (mutator.chance(0.04)) {
    const [method, route] = mutator.pick(OTHER_ROUTES);
    const live = method === 'GET' ? Object.values(tokens) : [];
    const path = route.endsWith('/') ? route + mutator.pick([...live, 'none', 't'.repeat(200)]) : route;
    return { method, path: mutator.chance(0.7) ? mutator.path(path) : path, headers: {}, body: Buffer.of() };
  }
  const layer = mutator.pick(layerNames);
  const kind = mutator.pick(['', '/forward', '/forward', 'session', 'session', 'stateless', 'stateless', '/check']);
  const body =
    kind === 'session'
      ? { session: mutator.chance(0.95) ? tokens[layer] : mutator.pick(Object.values(tokens)), ...good[layer].backward }
      : kind === 'stateless'
        ? backwardWith(layer, {})
        : kind === '/check'
          ? checkWith(layer)
          : forwardWith(layer, {});
  if (kind !== '/check' && mutator.chance(0.2)) return mutatedInference(mutator, layer, body);
  const path = kind.startsWith('s') ? `/${layer}/backward` : `/${layer}${kind}`;
  const request = { method: 'POST', path, headers: json, body: Buffer.from(JSON.stringify(body)) };
  return mutator.pick<() => MutatedRequest>([
    ...Array<() => MutatedRequest>(8).fill(() => ({ ...request, body: Buffer.from(written(mutator.values(body))) })),
    ...Array<() => MutatedRequest>(6).fill(() =>
      kind === 'session' ? request : { ...request, body: Buffer.from(written(mutator.options(layer, body))) },
    ),
    ...Array<() => MutatedRequest>(4).fill(() => ({ ...request, body: mutator.bytes(JSON.stringify(body)) })),
    () => ({ ...request, body: mutator.bytes(written(mutator.values(body))) }),
    () => ({ ...request, path: mutator.path(path) }),
    () => ({ ...request, method: mutator.pick(['GET', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'HEAD']) }),
    () => ({ ...request, headers: { 'content-type': mutator.pick(MEDIA_TYPES) } }),
    () => ({ ...request, headers: { ...json, accept: mutator.pick(MEDIA_TYPES) } }),
  ])();
}

/** Bytes of any format, truncated, split and shuffled. */
export function mutatedBytes(seed: number, bytes: Buffer): Buffer {
  return new Mutator(seed).bytes(bytes);
}
