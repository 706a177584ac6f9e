/**
 * Takes a picture of every layer's page, light and dark, into `docs/screenshots/`. Needs the built service, running:
 *
 *     npm run build && PORT=8080 node dist/src/server.js &
 *     node scripts/screenshots.js http://127.0.0.1:8080 [FOLDER]
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { chromium } from 'playwright-core';

const [service = 'http://127.0.0.1:8080', folder = 'docs/screenshots', only] = process.argv.slice(2);

/** The cell that is pointed at in each: one that has something to tell. */
const cells = {
  linear: 'dx,0,1',
  convolution: 'out,0,0,2,3',
  pooling: 'out,0,0,1,1',
  batchnorm: 'dx,2,0',
  dropout: 'out,1,2',
  rnn: 'dx,0,9,0',
  lstm: 'dx,0,9,0',
};

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
});
mkdirSync(folder, { recursive: true });
try {
  for (const [scheme, viewport] of [
    ['light', { width: 1440, height: 900 }],
    ['dark', { width: 1440, height: 900 }],
    ['phone', { width: 390, height: 844 }],
  ]) {
    // Smaller than life, since they stand in the repository.
    const context = await browser.newContext({
      viewport,
      deviceScaleFactor: scheme === 'phone' ? 1 : 0.75,
      colorScheme: scheme === 'dark' ? 'dark' : 'light',
    });
    for (const [layer, cell] of Object.entries(cells)) {
      if (only && only !== layer) continue;
      // On a phone one layer shows how all of them stand.
      if (scheme === 'phone' && layer !== 'batchnorm' && only === undefined) continue;
      const page = await context.newPage();
      page.on('pageerror', (error) => console.error(layer, error.message));
      page.on('console', (message) => message.type() === 'error' && console.error(layer, message.text()));
      await page.goto(`${service}/#/${layer}`);
      await page.locator('.answer').first().waitFor();
      await page.evaluate(`location.hash += '&at=${cell}'`);
      await page.locator('.shown').first().waitFor();
      await page.locator('math').first().waitFor();
      await page.waitForTimeout(400);
      const path = join(folder, `${layer}-${scheme}.png`);
      if (scheme === 'phone') await page.locator('.shown').last().scrollIntoViewIfNeeded();
      await page.screenshot({ path, fullPage: scheme !== 'phone' });
      await page.close();
    }
    await context.close();
  }
} finally {
  await browser.close();
}
