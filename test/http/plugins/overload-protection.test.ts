import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { getHeapStatistics } from 'node:v8';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { bearer, keysFile } from '../../support/keys.js';
import { expectProblem } from '../../support/problem.js';
import { good } from '../../support/requests.js';
import { serve, type Service } from '../../support/service.js';
import { until } from '../../support/until.js';

/** A request whose body the service waits for: in flight until its socket is written to or destroyed. */
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

/** The load is measured once per second. */
function untilRefused({ client }: Service) {
  return until(async () => {
    const response = await client.post('/linear').send(good.linear.forward);
    expect(response.status).toBe(503);
    return response;
  });
}

describe('requests in flight', () => {
  it('over the limit are 503 with Retry-After, while probes are served', async () => {
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
        says: '2 requests are in flight; expected fewer than 2',
      });
      expect(refused.headers['retry-after']).toBe('1');
    }
    await expectProbes(service);
    first.destroy();
    await until(() => service.client.post('/linear').send(good.linear.forward).expect(200));
  });

  it('are no longer counted once they have ended in any way', async () => {
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
  /** Sends part of a body, and resolves with the connection once the service waits for the rest. */
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
    const refused = await until(async () => {
      const response = await post(service);
      expect(response.status).toBe(503);
      return response;
    });
    expectProblem(refused, {
      status: 503,
      type: 'overloaded',
      says: /^request bodies in flight hold \d+ bytes; expected at most 100000 including this one$/,
    });
    expect(refused.headers['retry-after']).toBe('1');
    // A body that fits is served.
    await service.client.post('/linear').send(good.linear.forward).expect(200);
    held.destroy();
    await until(() => post(service).expect(200));
  });

  it('take as much room as has arrived, not as much as was announced', async () => {
    const service = await serve({ BODIES_BUDGET_BYTES: '100000' });
    for (let i = 0; i < 5; i++) await partly(service, 10);
    await post(service).expect(200);
  });

  it('free their room in every case', async () => {
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

it('frees the room of a body whose client disconnected during decompression', async () => {
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
  await until(() => {
    expect(service.log.filter(({ msg }) => msg === 'request')).toHaveLength(20);
  });
  const whole = JSON.stringify({ ...good.linear.forward, session: false }).padEnd(1_000_000);
  await until(() => service.client.post('/linear').set('content-type', 'application/json').send(whole).expect(200));
});

describe('a delayed event loop', () => {
  it('causes 503 with Retry-After, except for probes, until the delay is over', async () => {
    const service = await serve({ EVENT_LOOP_DELAY_LIMIT_MS: '200' });
    // Each turn of the loop exceeds the limit, so the mean does too, whenever it is measured.
    const blocking = setInterval(() => {
      const end = performance.now() + 400;
      while (performance.now() < end);
    }, 1);
    onTestFinished(() => {
      clearInterval(blocking);
    });
    const refused = await untilRefused(service);
    expectProblem(refused, {
      status: 503,
      type: 'overloaded',
      says: /^the event loop is delayed by (\d+ ms|more than a second); expected at most 200 ms$/,
    });
    expect(refused.headers['retry-after']).toBe('1');
    await expectProbes(service);
    clearInterval(blocking);
    await until(() => service.client.post('/linear').send(good.linear.forward).expect(200));
  });
});

describe('a full heap', () => {
  it('causes 503 with Retry-After, except for probes', async () => {
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

  it('is detected before V8 ends the process', async () => {
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
      says: `${client} has sent more than 3 requests in a minute; expected at most 3`,
    }) as const;

  it('over the limit per minute are 429 with Retry-After, while probes are served', async () => {
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
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
      expect(Number(refused.headers['retry-after'])).toBeLessThanOrEqual(60);
    }
    for (let i = 0; i < 5; i++) await expectProbes(service);
  });

  it('are unlimited by default', async () => {
    const { client } = await serve();
    for (let i = 0; i < 50; i++) await client.get('/health/live').expect(200);
    for (let i = 0; i < 50; i++) await client.get('/layers/linear').expect(200);
  });

  it('are counted by key if there are keys', async () => {
    const { path, keys } = keysFile('a', 'b');
    const { client } = await serve({ RATE_LIMIT_PER_MINUTE: '3', API_KEYS_FILE: path });
    for (const key of [keys.a, keys.b]) {
      for (let i = 0; i < 3; i++) await client.get('/layers').set(bearer(key)).expect(200);
      expectProblem(await client.get('/layers').set(bearer(key)), tooMany('this key'));
    }
  });

  it('are counted by the address from a trusted proxy, and only from a trusted one', async () => {
    const from = ({ client }: Service, address: string) => client.get('/layers').set('x-forwarded-for', address);
    const trusting = await serve({ RATE_LIMIT_PER_MINUTE: '3', TRUST_PROXY: '127.0.0.0/8, ::1' });
    for (const address of ['192.0.2.1', '192.0.2.2', '2001:db8::1']) {
      for (let i = 0; i < 3; i++) await from(trusting, address).expect(200);
      expectProblem(await from(trusting, address), tooMany('this address'));
    }
    // An address that the client wrote in front of the proxy's is ignored.
    expectProblem(await from(trusting, '198.51.100.9, 192.0.2.1'), tooMany('this address'));
    const other = await serve({ RATE_LIMIT_PER_MINUTE: '3', TRUST_PROXY: '192.0.2.0/24' });
    for (let i = 0; i < 3; i++) await from(other, `192.0.2.${i}`).expect(200);
    expectProblem(await from(other, '192.0.2.9'), tooMany('this address'));
  });
});
