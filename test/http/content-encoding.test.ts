import * as zlib from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { writeSafetensors } from '../../src/codec/safetensors/write.js';
import { tensor } from '../../src/tensor/tensor.js';
import { expectProblem, type Refusal } from '../support/problem.js';
import { good } from '../support/requests.js';
import { atScale } from '../support/scale.js';
import { serve, serveAll, type Service } from '../support/service.js';

/** Available since Node.js 22.15. */
const { zstdCompressSync } = zlib as { zstdCompressSync?: (bytes: Buffer) => Buffer };

const codings: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  gzip: (bytes) => zlib.gzipSync(bytes),
  'x-gzip': (bytes) => zlib.gzipSync(bytes),
  deflate: (bytes) => zlib.deflateSync(bytes),
  // The default is the highest quality, with which this test would compress for many seconds.
  br: (bytes) => zlib.brotliCompressSync(bytes, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 5 } }),
  ...(zstdCompressSync ? { zstd: zstdCompressSync } : {}),
};
const names = Object.keys(codings);
const read = names.filter((name) => name !== 'x-gzip').join(', ');

async function post(
  { url }: Service,
  encoding: string,
  body: Buffer,
  type = 'application/json',
): Promise<Refusal & { bytes: Buffer }> {
  const response = await fetch(`${url}/linear`, {
    method: 'POST',
    headers: { 'content-type': type, 'content-encoding': encoding },
    body,
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  const json = response.headers.get('content-type')?.includes('json');
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    body: json ? (JSON.parse(bytes.toString()) as unknown) : undefined,
    bytes,
  };
}

const small = Buffer.from(JSON.stringify({ ...good.linear.forward, session: false }));

describe.each(names)('a body in %s', (name) => {
  const service = serveAll();
  const compress = codings[name];

  it('has the same answer as without compression', async () => {
    const plain = await post(service(), 'identity', small);
    expect(plain.status).toBe(200);
    for (const encoding of [name, name.toUpperCase(), `identity, ${name}`])
      expect((await post(service(), encoding, compress(small))).body).toEqual(plain.body);
  });

  it('is read completely, even if large, in either format', async () => {
    const [N, I] = [300, 400];
    const x = Array.from({ length: N }, (_, n) => Array.from({ length: I }, (_, i) => Math.sin(n * I + i)));
    const weight = [Array.from({ length: I }, (_, i) => Math.cos(i))];
    const json = Buffer.from(JSON.stringify({ x, weight, session: false }));
    expect(json.length).toBeGreaterThan(2 ** 20);
    const binary = Buffer.concat(
      writeSafetensors({
        x: tensor([N, I], Float64Array.from(x.flat())),
        weight: tensor([1, I], Float64Array.from(weight.flat())),
        session: false,
      }),
    );
    for (const [type, body] of [
      ['application/json', json],
      ['application/vnd.safetensors', binary],
    ] as const) {
      const plain = await post(service(), 'identity', body, type);
      expect(plain.status).toBe(200);
      // Twice, so that pooled memory is reused.
      for (let i = 0; i < 2; i++)
        expect((await post(service(), name, compress(body), type)).bytes).toEqual(plain.bytes);
    }
  });

  it('is 413 if it decompresses to more than the limit, and accepted at the limit', async () => {
    const limited = await serve({ BODY_LIMIT_BYTES: '100000' });
    const padded = (length: number) => compress(Buffer.concat([small, Buffer.alloc(length - small.length, ' ')]));
    expect((await post(limited, name, padded(100_000))).status).toBe(200);
    const coding = name.replace('x-', '');
    expectProblem(await post(limited, name, padded(100_001)), {
      status: 413,
      type: 'body-too-large',
      says: `the body has more than 100000 bytes when decompressed (${coding}); expected at most 100000 bytes`,
    });
  });

  it('is never held in memory if it is a decompression bomb', async () => {
    const limited = await serve({ BODY_LIMIT_BYTES: '1000000' });
    const BOMBS = atScale({ all: 10, quick: 1 });
    const bomb = compress(Buffer.alloc(200_000_000));
    expect(bomb.length).toBeLessThan(1_000_000);
    const before = process.memoryUsage().rss;
    for (let i = 0; i < BOMBS; i++) expect((await post(limited, name, bomb)).status).toBe(413);
    expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000);
    expect((await post(limited, name, compress(small))).status).toBe(200);
  });

  it('is 400 if it is truncated, has trailing data, or is something else', async () => {
    const coding = name.replace('x-', '');
    const bytes = compress(Buffer.concat([small, Buffer.alloc(50_000, ' ')]));
    const says = new RegExp(
      `^the body's Content-Encoding is ${coding}, but its bytes cannot be decompressed: [a-z].*$`,
    );
    for (const body of [
      bytes.subarray(0, -1),
      bytes.subarray(0, 5),
      Buffer.concat([bytes, Buffer.from('behind')]),
      Buffer.concat([bytes, Buffer.alloc(100_000, 'x')]),
      small,
    ])
      expectProblem(await post(service(), name, body), { status: 400, type: 'invalid-encoding', says });
    expect((await post(service(), name, bytes)).status).toBe(200);
  });
});

describe('an unsupported coding', () => {
  const service = serveAll();

  it.each(['compress', 'gzip, br', 'gzip, gzip', 'aes128gcm', 'constructor', ...(zstdCompressSync ? [] : ['zstd'])])(
    'is 415, which names those that are: %s',
    async (encoding) => {
      const refused = await post(service(), encoding, small);
      expectProblem(refused, {
        status: 415,
        type: 'unsupported-media-type',
        says: `the body's Content-Encoding is ${encoding}; expected none, or one of ${read}`,
      });
      expect(refused.headers).toMatchObject({ 'accept-encoding': read });
    },
  );
});

it.runIf(zstdCompressSync)('refuses a Zstandard body that requires a window over 8 MiB', async () => {
  const service = await serve();
  const { zstdCompressSync: compress, constants } = zlib as unknown as {
    zstdCompressSync: (bytes: Buffer, options: object) => Buffer;
    constants: Record<string, number>;
  };
  const wide = (log: number) =>
    compress(Buffer.concat([small, Buffer.alloc(2 ** 25, ' ')]), {
      params: { [constants.ZSTD_c_windowLog]: log, [constants.ZSTD_c_enableLongDistanceMatching]: 1 },
    });
  expect((await post(service, 'zstd', wide(23))).status).toBe(200);
  expectProblem(await post(service, 'zstd', wide(25)), {
    status: 400,
    type: 'invalid-encoding',
    says: /^the body's Content-Encoding is zstd, but its bytes cannot be decompressed: /,
  });
});
