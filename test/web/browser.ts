/** A headless Chromium for a suite, with a new page for each test. */
import { existsSync } from 'node:fs';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished } from 'vitest';
import { serveAll, type Service } from '../support/service.js';

/** The path of Debian's package. */
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** Without a sandbox, because tests may run as root, and without background requests. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Longer than the page takes for anything on any machine; it only ends what hangs. */
const HOPELESS_MS = 120_000;

const missing = !existsSync(CHROMIUM) && process.env.CI !== 'true';

/** A suite that is skipped, with a message, if there is no browser; in CI it runs, and fails. */
export const describeInBrowser: typeof describe.skip = missing ? describe.skip : describe;
if (missing) process.stderr.write(`There is no browser at ${CHROMIUM}: tests of the page are skipped.\n`);

export interface Visit {
  readonly page: Page;
  readonly service: Service;
  /** Opens an address of the page, and waits for its answers. */
  readonly open: (hash: string) => Promise<void>;
}

/** Must be called in a suite. Returns a function that opens a page for a test. Errors on the page fail the test. */
export function browsing(): (options?: BrowserContextOptions) => Promise<Visit> {
  const service = serveAll();
  let browser: Browser | undefined;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  });
  afterAll(() => browser?.close());

  return async (options = {}) => {
    if (!browser) throw new Error('the browser has not been started');
    const { url } = service();
    const context = await browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'], ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(HOPELESS_MS);
    const faults: string[] = [];
    page.on('pageerror', (error) => faults.push(error.message));
    // The console reports refused requests as errors, which some tests cause; only policy violations fail a test.
    page.on('console', (message) => {
      if (message.type() === 'error' && !message.text().includes('the server responded with a status of 4'))
        faults.push(message.text());
    });
    const foreign: string[] = [];
    page.on('request', (request) => {
      if (new URL(request.url()).hostname !== '127.0.0.1') foreign.push(request.url());
    });
    onTestFinished(async () => {
      await context.close();
      expect(faults).toEqual([]);
      expect(foreign).toEqual([]);
    });
    return {
      page,
      service: service(),
      open: async (hash) => {
        await page.goto(`${url}/${hash}`);
        await page.locator('[data-cell^="dx["]').first().waitFor();
      },
    };
  };
}

/** A table of the page, by its accessible name. */
export const grid = (page: Page, name: string) => page.getByRole('grid', { name, exact: true });

/** A cell of an answer. */
export const cell = (page: Page, name: string) => page.locator(`[data-cell="${name}"]`);

/** The message to the user, once there is one. */
export const alert = (page: Page) => page.getByRole('alert').filter({ hasText: /./ });

/** Pastes through the clipboard, as a user does. */
export async function pasteInto(page: Page, label: string, text: string): Promise<void> {
  await page.evaluate(`navigator.clipboard.writeText(${JSON.stringify(text)})`);
  await page.getByRole('textbox', { name: label, exact: true }).focus();
  await page.keyboard.press('Control+A');
  await page.keyboard.press('Control+V');
}
