import { describe, expect, it } from 'vitest';
import { serveAll } from '../support/service.js';

describe('the probes', () => {
  const service = serveAll();

  it.each([
    ['/health/live', 'live'],
    ['/health/ready', 'ready'],
  ])('answer 200: %s', async (path, status) => {
    const { client } = service();
    expect((await client.get(path).expect(200)).body).toEqual({ status });
    await client.head(path).expect(200);
    // Whatever the prober accepts.
    await client.get(path).set('accept', 'text/html').expect(200);
  });
});
