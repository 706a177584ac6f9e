/** How the page is served. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { serveAll } from '../support/service.js';

const service = serveAll();
const built = new URL('../../dist/web/', import.meta.url);

async function text(path: string): Promise<string> {
  return (await service().client.get(path).expect(200)).text;
}

describe('GET /', () => {
  it('returns the page, which is revalidated each time', async () => {
    const answer = await service().client.get('/').expect(200);
    expect(answer.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(answer.headers['cache-control']).toBe('no-cache');
    expect(answer.text).toContain('<div id="app">');
  });

  it('has content to paint before its script has loaded', async () => {
    expect(await text('/')).toMatch(/<div id="app">\s*<header class="masthead">/);
  });

  it('answers 304 if the client has the current version', async () => {
    const { headers } = await service().client.get('/').expect(200);
    await service().client.get('/').set('if-none-match', headers.etag).expect(304);
  });

  it('forbids other hosts, inline scripts and inline styles', async () => {
    const policy = (await service().client.get('/').expect(200)).headers['content-security-policy'];
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|data:|\*/);
    expect(await text('/')).not.toMatch(/https?:\/\/|<style|style=|<script>|\bon\w+=/);
  });

  it('is compressed as requested', async () => {
    for (const [coding, expected] of [
      ['br', 'br'],
      ['gzip', 'gzip'],
      ['identity', undefined],
    ] as const) {
      const { headers } = await service().client.get('/').set('accept-encoding', coding).buffer(false);
      expect(headers['content-encoding'], coding).toBe(expected);
      expect(headers.vary).toBe('accept-encoding');
    }
  });

  it('has HEAD, and answers 405 to POST', async () => {
    await service().client.head('/').expect(200);
    const answer = await service().client.post('/').expect(405);
    expect(answer.headers['content-type']).toBe('application/problem+json');
  });
});

describe('the files of the page', () => {
  it('may be cached forever, because their names change with their content', async () => {
    const [, script] = /src="\.(\/assets\/[^"]+\.js)"/.exec(await text('/')) ?? [];
    const answer = await service().client.get(script).expect(200);
    expect(answer.headers['cache-control']).toBe('public, max-age=31536000, immutable');
    expect(answer.headers['content-type']).toMatch(/javascript/);
  });

  it('is at most 250 KB compressed, all of it', () => {
    const names = readdirSync(built, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.gz'));
    const bytes = names.reduce((sum, name) => sum + readFileSync(new URL(name, built)).length, 0);
    expect(names.length).toBeGreaterThanOrEqual(5);
    expect(bytes).toBeLessThan(250_000);
  });

  it('are 404 if they do not exist', async () => {
    const answer = await service().client.get('/assets/none.js').expect(404);
    expect(answer.body).toMatchObject({ type: '/problems/not-found' });
  });
});
