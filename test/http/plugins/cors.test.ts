import { describe, expect, it } from 'vitest';
import { bearer, keysFile } from '../../support/keys.js';
import { expectProblem } from '../../support/problem.js';
import { good } from '../../support/requests.js';
import { serve, type Service } from '../../support/service.js';

const ORIGIN = 'https://notebook.example';

function preflight({ client }: Service, origin: string) {
  return client
    .options('/linear')
    .set('origin', origin)
    .set('access-control-request-method', 'POST')
    .set('access-control-request-headers', 'authorization,content-type');
}

const corsHeaders = (headers: object) => Object.keys(headers).filter((name) => name.startsWith('access-control'));

describe('pages of other origins', () => {
  it('may call nothing unless they are listed', async () => {
    const service = await serve();
    expect(corsHeaders((await preflight(service, ORIGIN).expect(405)).headers)).toEqual([]);
    const { headers } = await service.client
      .post('/linear')
      .set('origin', ORIGIN)
      .send(good.linear.forward)
      .expect(200);
    expect(corsHeaders(headers)).toEqual([]);
  });

  it('may call the service if they are listed, and no others may', async () => {
    const service = await serve({ CORS_ORIGINS: `${ORIGIN}, http://localhost:3000` });
    for (const origin of [ORIGIN, 'http://localhost:3000']) {
      const { headers } = await preflight(service, origin).expect(204);
      expect(headers).toMatchObject({
        'access-control-allow-origin': origin,
        'access-control-allow-methods': 'GET, HEAD, POST, DELETE',
        'access-control-allow-headers':
          'authorization, content-type, content-encoding, accept, x-request-id, traceparent, inference-header-content-length',
        'access-control-max-age': '600',
        vary: expect.stringContaining('Origin') as string,
      });
      const answer = await service.client.post('/linear').set('origin', origin).send(good.linear.forward).expect(200);
      expect(answer.headers).toMatchObject({
        'access-control-allow-origin': origin,
        'access-control-expose-headers': 'retry-after, www-authenticate, x-request-id, inference-header-content-length',
      });
      // Pages must be able to read refusals too.
      const refused = await service.client.post('/linear').set('origin', origin).send({}).expect(400);
      expect(refused.headers['access-control-allow-origin']).toBe(origin);
    }
    for (const origin of ['https://evil.example', `${ORIGIN}.evil.example`, 'null'])
      expect((await preflight(service, origin)).headers).not.toHaveProperty('access-control-allow-origin');
  });

  it('may all call it with *', async () => {
    const service = await serve({ CORS_ORIGINS: '*' });
    expect((await preflight(service, ORIGIN).expect(204)).headers['access-control-allow-origin']).toBe('*');
  });

  it('may ask, without a key, whether they may call with one', async () => {
    const { path, keys } = keysFile('a');
    const service = await serve({ CORS_ORIGINS: ORIGIN, API_KEYS_FILE: path });
    await preflight(service, ORIGIN).expect(204);
    const refused = await service.client.get('/layers').set('origin', ORIGIN).expect(401);
    expect(refused.headers['access-control-allow-origin']).toBe(ORIGIN);
    await service.client.get('/layers').set('origin', ORIGIN).set(bearer(keys.a)).expect(200);
  });

  it.each([ORIGIN, undefined, 'https://evil.example'])(
    'do not remove Accept-Encoding from Vary: Origin %s',
    async (origin) => {
      for (const origins of ['', ORIGIN, `${ORIGIN},http://localhost:3000`, '*']) {
        const { client } = await serve({ CORS_ORIGINS: origins });
        for (const coding of ['br', 'identity']) {
          const asked = client.get('/').set('accept-encoding', coding);
          const { headers } = await (origin === undefined ? asked : asked.set('origin', origin)).expect(200);
          const fields = String((headers as { vary?: string }).vary)
            .toLowerCase()
            .split(', ');
          const isListed = origins !== '' && origins !== '*';
          expect(fields.sort(), `${origins} ${coding}`).toEqual(['accept-encoding', ...(isListed ? ['origin'] : [])]);
        }
      }
    },
  );

  it('get the usual errors for unknown routes and methods', async () => {
    const { client } = await serve({ CORS_ORIGINS: ORIGIN });
    expectProblem(await client.get('/nothing'), {
      status: 404,
      type: 'not-found',
      says: /^there is no GET \/nothing; /,
    });
    expectProblem(await client.put('/linear'), {
      status: 405,
      type: 'method-not-allowed',
      says: '/linear does not support PUT; expected POST',
    });
  });
});

describe('the pages of the service', () => {
  it('have headers against framing, sniffing and opening by other sites', async () => {
    const { client } = await serve();
    for (const path of ['/docs/', '/docs/static/swagger-initializer.js', '/docs/static/swagger-ui.css']) {
      const { headers } = await client.get(path).expect(200);
      expect(headers, path).toMatchObject({
        'content-security-policy': expect.stringContaining("frame-ancestors 'self'") as string,
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'SAMEORIGIN',
        'referrer-policy': 'no-referrer',
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-resource-policy': 'same-origin',
      });
      // It has no effect over plain HTTP; over TLS, the balancer decides.
      expect(headers).not.toHaveProperty('strict-transport-security');
    }
  });
});
