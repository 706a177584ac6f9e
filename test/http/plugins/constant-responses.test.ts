/** Responses that do not change while the service runs are compressed, and not sent again to clients that have them. */
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { expectProblem } from '../../support/problem.js';
import { good } from '../../support/requests.js';
import { serveAll } from '../../support/service.js';

const ORIGIN = 'https://notebook.example';
const service = serveAll({ CORS_ORIGINS: `${ORIGIN},http://localhost:3000` });

const PATHS = [
  '/layers',
  '/layers/lstm',
  '/layers/linear/mistakes',
  '/openapi.json',
  '/docs/',
  '/docs/json',
  '/docs/yaml',
  '/docs/static/swagger-ui.css',
  '/docs/static/swagger-initializer.js',
];

const decoders: Readonly<Record<string, (bytes: Buffer) => Buffer>> = { br: brotliDecompressSync, gzip: gunzipSync };

/** The response as received, not decompressed. */
async function ask(path: string, headers: Readonly<Record<string, string>>, method = 'GET') {
  const { statusCode, headers: sent, rawPayload } = await service().app.inject({ method, url: path, headers } as never);
  return { statusCode, headers: sent as Readonly<Record<string, string | undefined>>, bytes: rawPayload };
}

/** The fields of a header's list, in alphabetical order. */
const fields = (value: string | undefined) => (value ?? '').toLowerCase().split(', ').sort();

describe.each(PATHS)('GET %s', (path) => {
  it('is compressed as requested, and decompresses to the same content', async () => {
    const plain = await ask(path, {});
    expect(plain.statusCode).toBe(200);
    expect(plain.headers).not.toHaveProperty('content-encoding');
    for (const [coding, decode] of Object.entries(decoders))
      // The second response comes from the cache.
      for (const _ of ['first', 'second']) {
        const { statusCode, headers, bytes } = await ask(path, { 'accept-encoding': coding });
        expect(statusCode).toBe(200);
        expect(headers['content-encoding']).toBe(coding);
        expect(headers['content-length']).toBe(String(bytes.length));
        expect(headers['content-type']).toBe(plain.headers['content-type']);
        expect(decode(bytes).equals(plain.bytes)).toBe(true);
        expect(bytes.length).toBeLessThan(plain.bytes.length * 0.6);
      }
  });

  it('lists in Vary everything that it depends on, including the origin', async () => {
    for (const coding of ['br', 'identity']) {
      const { headers } = await ask(path, { 'accept-encoding': coding, origin: ORIGIN });
      expect(fields(headers.vary)).toEqual(['accept-encoding', 'origin']);
      expect(headers['access-control-allow-origin']).toBe(ORIGIN);
    }
  });

  it('answers HEAD as GET, without the body', async () => {
    for (const coding of ['br', 'identity']) {
      const got = await ask(path, { 'accept-encoding': coding });
      const { statusCode, headers, bytes } = await ask(path, { 'accept-encoding': coding }, 'HEAD');
      expect(statusCode).toBe(200);
      expect(bytes.length).toBe(0);
      for (const name of ['content-length', 'content-encoding', 'content-type', 'etag', 'vary'])
        expect(headers[name], name).toBe(got.headers[name]);
    }
  });

  it.each(['GET', 'HEAD'])('answers 304 to %s with the ETag of any coding', async (method) => {
    const { etag = '' } = (await ask(path, { 'accept-encoding': 'br' })).headers;
    expect(etag).toMatch(/^W\/"[\w-]+"$/);
    for (const known of [etag, `"other", ${etag}`, '*']) {
      const { statusCode, headers, bytes } = await ask(path, { 'if-none-match': known, origin: ORIGIN }, method);
      expect(statusCode).toBe(304);
      expect(bytes.length).toBe(0);
      expect(headers.etag).toBe(etag);
      expect(fields(headers.vary)).toEqual(['accept-encoding', 'origin']);
      expect(headers).not.toHaveProperty('content-length');
      expect(headers).not.toHaveProperty('content-encoding');
    }
    expect((await ask(path, { 'if-none-match': 'W/"other"' }, method)).statusCode).toBe(200);
  });
});

describe('the coding of a response', () => {
  it.each([
    ['gzip;q=0.5, br;q=0.9', 'br'],
    ['br;q=0.5, gzip', 'gzip'],
    ['zstd, gzip', 'gzip'],
    ['*', 'br'],
    ['*, br;q=0', 'gzip'],
    ['identity;q=0, gzip', 'gzip'],
    ['identity, br;q=0.5', undefined],
    ['br;q=0, gzip;q=0', undefined],
    ['zstd, compress', undefined],
    ['', undefined],
  ])('is, for Accept-Encoding %j, %s', async (accepted, expected) => {
    for (const path of ['/layers', '/openapi.json'])
      expect((await ask(path, { 'accept-encoding': accepted })).headers['content-encoding']).toBe(expected);
  });

  it.each(['identity;q=0', '*;q=0', 'zstd, identity;q=0'])('is refused if none is acceptable: %s', async (accepted) => {
    for (const path of ['/layers', '/layers/rnn', '/layers/rnn/mistakes', '/openapi.json', '/docs/'])
      expectProblem(await service().client.get(path).set('accept-encoding', accepted), {
        status: 406,
        type: 'not-acceptable',
        says: `Accept-Encoding is ${accepted}; expected it to include br or gzip or identity`,
      });
  });

  it('is absent for results of a layer, redirects and refusals', async () => {
    const { client } = service();
    const asking = { 'accept-encoding': 'br, gzip' };
    const computed = await client.post('/linear').set(asking).send(good.linear.forward).expect(200);
    const refused = await client.get('/layers/none').set(asking).expect(404);
    const led = await client.get('/docs').set(asking).redirects(0).expect(301);
    for (const { headers } of [computed, refused, led] as { headers: object }[])
      expect(headers).not.toHaveProperty('content-encoding');
    expect(led.headers.location).toBe('docs/');
  });

  it('applies to the whole response, because ranges are not supported', async () => {
    const path = '/docs/static/swagger-ui.css';
    const { statusCode, headers, bytes } = await ask(path, { 'accept-encoding': 'gzip', range: 'bytes=0-9' });
    expect(statusCode).toBe(200);
    expect(headers).not.toHaveProperty('accept-ranges');
    expect(gunzipSync(bytes).equals((await ask(path, {})).bytes)).toBe(true);
  });
});
