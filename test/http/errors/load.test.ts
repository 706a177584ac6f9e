import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { getHeapStatistics } from 'node:v8';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { bearer, keysFile } from '../../support/keys.js';
import { expectProblem } from '../../support/problem.js';
import { good } from '../../support/requests.js';
import { serve, type Service } from '../../support/service.js';

/** A request whose body is waited for, which keeps it in flight until its socket is destroyed or written to. */
async function inFlight({ port }: Service): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => {
    socket.destroy();
  });
  socket.write(
    'POST /linear HTTP/1.1\r\nHost: layerd\r\nContent-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n',
  );
  await once(socket, 'data');
  return socket;
}

async function expectProbes({ client }: Service): Promise<void> {
  await client.get('/health/live').expect(200);
  await client.get('/health/ready').expect(200);
}

/** The load is measured every second. */
function untilRefused({ client }: Service) {
  return vi.waitFor(
    async () => {
      const response = await client.post('/linear').send(good.linear.forward);
      expect(response.status).toBe(503);
      return response;
    },
    { timeout: 5000, interval: 20 },
  );
}

describe('requests in flight', () => {
  it('over the limit are 503 with Retry-After, and probes are served', async () => {
    const service = await serve({ REQUESTS_IN_FLIGHT_LIMIT: '2' });
    const first = await inFlight(service);
    await inFlight(service);
    for (const refused of [
      await service.client.post('/linear').send(good.linear.forward),
      await service.client.get('/layers'),
      await service.client.get('/nothing'),
    ]) {
      expectProblem(refused, {
        status: 503,
        type: 'overloaded',
        says: '2 requests are in flight here; expected fewer than 2',
      });
      expect(refused.headers['retry-after']).toBe('1');
    }
    await expectProbes(service);
    first.destroy();
    await vi.waitFor(() => service.client.post('/linear').send(good.linear.forward).expect(200));
  });

  it('are as many again, whatever ended them', async () => {
    const service = await serve({ REQUESTS_IN_FLIGHT_LIMIT: '1' });
    for (let i = 0; i < 5; i++) {
      await service.client.post('/linear').send(good.linear.forward).expect(200);
      await service.client.post('/linear').send({}).expect(400);
      await service.client.get('/nothing').expect(404);
      await service.client.put('/linear').expect(405);
      await service.client.get('/%zz').expect(400);
    }
  });
});

describe('the bodies of requests in flight', () => {
  /** Sends a part of a body, and gives the connection when the service holds it. */
  async function partly(service: Service, bytes: number): Promise<Socket> {
    const socket = connect(service.port, '127.0.0.1');
    onTestFinished(() => {
      socket.destroy();
    });
    socket.write(
      'POST /linear HTTP/1.1\r\nHost: layerd\r\nContent-Type: application/json\r\nContent-Length: 90000\r\nExpect: 100-continue\r\n\r\n',
    );
    await once(socket, 'data');
    socket.write(' '.repeat(bytes));
    return socket;
  }
  const body = JSON.stringify({ ...good.linear.forward, session: false }).padEnd(40_000);
  const post = ({ client }: Service) => client.post('/linear').set('content-type', 'application/json').send(body);

  it('over their budget are 503 with Retry-After, until there is room again', async () => {
    const service = await serve({ BODIES_BUDGET_BYTES: '100000' });
    await post(service).expect(200);
    const held = await partly(service, 70_000);
    const refused = await vi.waitFor(async () => {
      const response = await post(service);
      expect(response.status).toBe(503);
      return response;
    });
    expectProblem(refused, {
      status: 503,
      type: 'overloaded',
      says: /^the bodies in flight hold \d+ bytes; expected at most 100000 with this one$/,
    });
    expect(refused.headers['retry-after']).toBe('1');
    // What fits is served.
    await service.client.post('/linear').send(good.linear.forward).expect(200);
    held.destroy();
    await vi.waitFor(() => post(service).expect(200));
  });

  it('are no more than they are: what is only announced takes no room', async () => {
    const service = await serve({ BODIES_BUDGET_BYTES: '100000' });
    for (let i = 0; i < 5; i++) await partly(service, 10);
    await post(service).expect(200);
  });

  it('give their room back, whatever becomes of them', async () => {
    const service = await serve({ BODIES_BUDGET_BYTES: '100000', BODY_LIMIT_BYTES: '90000' });
    for (let i = 0; i < 5; i++) {
      await post(service).expect(200);
      await service.client.post('/linear').send('x'.repeat(60_000)).set('content-type', 'application/json').expect(400);
      await service.client
        .post('/linear')
        .set({ 'content-type': 'application/json', 'content-encoding': 'gzip' })
        .serialize((bytes: unknown) => bytes as string)
        .send(gzipSync(' '.repeat(90_001)))
        .expect(413);
    }
  });
});

it('takes no room for a body whose client has gone while it was decompressed', async () => {
  const service = await serve({ BODIES_BUDGET_BYTES: '1000000', BODY_LIMIT_BYTES: '1000000' });
  const bytes = gzipSync(Buffer.alloc(900_000, ' '));
  for (let i = 0; i < 20; i++) {
    const socket = connect(service.port, '127.0.0.1');
    socket.write(
      `POST /linear HTTP/1.1\r\nHost: layerd\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: ${bytes.length}\r\n\r\n`,
    );
    await new Promise((written) => socket.write(bytes, written));
    socket.resetAndDestroy();
  }
  await vi.waitFor(() => {
    expect(service.log.filter(({ msg }) => msg === 'request')).toHaveLength(20);
  });
  const whole = JSON.stringify({ ...good.linear.forward, session: false }).padEnd(1_000_000);
  await vi.waitFor(() =>
    service.client.post('/linear').set('content-type', 'application/json').send(whole).expect(200),
  );
});

describe('an event loop that is late', () => {
  it('has requests refused with 503 and Retry-After, but no probes, until it is not', async () => {
    const service = await serve({ EVENT_LOOP_DELAY_LIMIT_MS: '50' }, (app) => {
      app.get('/block', () => {
        const end = performance.now() + 1500;
        while (performance.now() < end);
        return {};
      });
    });
    await service.client.get('/block').expect(200);
    const refused = await untilRefused(service);
    expectProblem(refused, {
      status: 503,
      type: 'overloaded',
      says: /^the event loop is (\d+ ms|over a second) late; expected at most 50 ms$/,
    });
    expect(refused.headers['retry-after']).toBe('1');
    await expectProbes(service);
    await vi.waitFor(() => service.client.post('/linear').send(good.linear.forward).expect(200), {
      timeout: 10_000,
      interval: 100,
    });
  });
});

describe('a heap that is full', () => {
  it('has requests refused with 503 and Retry-After, but no probes', async () => {
    const service = await serve({ HEAP_LIMIT_BYTES: '1000' });
    const refused = await untilRefused(service);
    expectProblem(refused, {
      status: 503,
      type: 'overloaded',
      says: /^the heap holds \d+ bytes; expected at most 1000$/,
    });
    expect(refused.headers['retry-after']).toBe('1');
    await expectProbes(service);
  });

  it('is told before V8 ends the process', async () => {
    const { client } = await serve();
    const { body } = (await client.get('/layers').expect(200)) as { body: { limits: { heap_bytes: number } } };
    expect(body.limits.heap_bytes).toBeLessThan(getHeapStatistics().heap_size_limit);
    expect(body.limits.heap_bytes).toBeGreaterThan(getHeapStatistics().heap_size_limit / 2);
  });
});

describe('requests of one client', () => {
  const tooMany = (client: string) =>
    ({
      status: 429,
      type: 'too-many-requests',
      says: `${client} has sent over 3 requests within a minute; expected no more`,
    }) as const;

  it('over the limit of a minute are 429 with Retry-After, and probes are served', async () => {
    const service = await serve({ RATE_LIMIT_PER_MINUTE: '3' });
    await service.client.post('/linear').send(good.linear.forward).expect(200);
    await service.client.get('/nothing').expect(404);
    await service.client.put('/linear').expect(405);
    for (const refused of [
      await service.client.post('/linear').send(good.linear.forward),
      await service.client.get('/layers'),
      await service.client.get('/nothing'),
    ]) {
      expectProblem(refused, tooMany('this address'));
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(50);
      expect(Number(refused.headers['retry-after'])).toBeLessThanOrEqual(60);
    }
    for (let i = 0; i < 5; i++) await expectProbes(service);
  });

  it('are as many as they like where there is no limit', async () => {
    const { client } = await serve();
    for (let i = 0; i < 50; i++) await client.get('/health/live').expect(200);
    for (let i = 0; i < 50; i++) await client.get('/layers/linear').expect(200);
  });

  it('are counted by key where there are keys', async () => {
    const { path, keys } = keysFile('a', 'b');
    const { client } = await serve({ RATE_LIMIT_PER_MINUTE: '3', API_KEYS_FILE: path });
    for (const key of [keys.a, keys.b]) {
      for (let i = 0; i < 3; i++) await client.get('/layers').set(bearer(key)).expect(200);
      expectProblem(await client.get('/layers').set(bearer(key)), tooMany('this key'));
    }
  });

  it('are counted by the address that a trusted proxy tells, and only by a trusted one', async () => {
    const from = ({ client }: Service, address: string) => client.get('/layers').set('x-forwarded-for', address);
    const trusting = await serve({ RATE_LIMIT_PER_MINUTE: '3', TRUST_PROXY: '127.0.0.0/8, ::1' });
    for (const address of ['192.0.2.1', '192.0.2.2', '2001:db8::1']) {
      for (let i = 0; i < 3; i++) await from(trusting, address).expect(200);
      expectProblem(await from(trusting, address), tooMany('this address'));
    }
    // What a client makes up before the proxy's own word is not believed.
    expectProblem(await from(trusting, '198.51.100.9, 192.0.2.1'), tooMany('this address'));
    const other = await serve({ RATE_LIMIT_PER_MINUTE: '3', TRUST_PROXY: '192.0.2.0/24' });
    for (let i = 0; i < 3; i++) await from(other, `192.0.2.${i}`).expect(200);
    expectProblem(await from(other, '192.0.2.9'), tooMany('this address'));
  });
});
