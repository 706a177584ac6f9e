/**
 * Saves screenshots of every layer's page, light and dark, in `screenshots/`. Requires Chromium and a running service:
 *
 *     npm run screenshots -- http://127.0.0.1:8080 [FOLDER [LAYER]]
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { chromium } from 'playwright-core';

const [service = 'http://127.0.0.1:8080', folder = 'screenshots', only] = process.argv.slice(2);

/** The cell to select for each layer: one whose explanation is instructive. */
const cells = {
  linear: 'dx,0,1',
  convolution: 'out,0,0,2,3',
  pooling: 'out,0,0,1,1',
  batchnorm: 'dx,2,0',
  dropout: 'out,1,2',
  rnn: 'dx,0,9,0',
  lstm: 'dx,0,9,0',
};

const { layers } = await (await fetch(`${service}/layers`)).json();

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
    // Reduced, because the pictures are committed.
    const context = await browser.newContext({
      viewport,
      deviceScaleFactor: scheme === 'phone' ? 1 : 0.75,
      colorScheme: scheme === 'dark' ? 'dark' : 'light',
    });
    for (const { layer } of layers) {
      if (only && only !== layer) continue;
      // On a phone, one layer is enough to show the layout of all.
      if (scheme === 'phone' && layer !== 'batchnorm' && only === undefined) continue;
      const page = await context.newPage();
      page.on('pageerror', (error) => console.error(layer, error.message));
      page.on('console', (message) => message.type() === 'error' && console.error(layer, message.text()));
      await page.goto(`${service}/#/${layer}`);
      await page.locator('.answer').first().waitFor();
      if (layer in cells) {
        await page.evaluate(`location.hash += '&at=${cells[layer]}'`);
        await page.locator('.shown').first().waitFor();
      }
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
