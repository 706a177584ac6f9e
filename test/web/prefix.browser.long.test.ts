/** The pages behind a proxy that serves them under a prefix, as nginx does with `location /layerd/`. */
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { browsing, describeInBrowser } from './browser.js';

const PREFIX = '/tools/layerd';

/** Anything outside the prefix belongs to others: 404. */
async function below(port: number): Promise<string> {
  const proxy = createServer((incoming, outgoing) => {
    const { url = '', method, headers } = incoming;
    if (!url.startsWith(`${PREFIX}/`)) {
      outgoing.writeHead(404).end();
      return;
    }
    const path = url.slice(PREFIX.length);
    const asked = request({ host: '127.0.0.1', port, path, method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    incoming.pipe(asked);
  }).listen(0, '127.0.0.1');
  onTestFinished(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  await once(proxy, 'listening');
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
}

describeInBrowser('below a prefix', () => {
  const visit = browsing();

  it('the page, the documentation and the OpenAPI page work, and request nothing outside the prefix', async () => {
    const { page, service } = await visit();
    const origin = await below(service.port);
    const outside: string[] = [];
    page.on('request', (asked) => {
      if (!asked.url().startsWith(`${origin}${PREFIX}/`)) outside.push(asked.url());
    });
    await page.goto(`${origin}${PREFIX}/#/linear`);
    await page.locator('[data-cell^="dx["]').first().waitFor();
    expect(await page.getByText(`${origin}${PREFIX}/linear/forward`).count()).toBeGreaterThan(0);
    await page.getByRole('link', { name: 'Derivation, conventions, other frameworks' }).click();
    expect(await page.title()).toBe('linear – layerd');
    await page.getByRole('link', { name: 'API' }).click();
    // As long as the test may take, because Swagger UI is slow on a busy machine.
    await page.getByText('linear, forward.').first().waitFor({ timeout: 0 });
    expect(new URL(page.url()).pathname).toBe(`${PREFIX}/docs/`);
    expect(outside).toEqual([]);
  });
});
