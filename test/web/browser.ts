/** A headless Chromium for a suite, and a fresh page of it for each test. */
import { existsSync } from 'node:fs';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished } from 'vitest';
import { serveAll, type Service } from '../support/service.js';

/** Debian's. */
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** Without a sandbox, since tests may run as root; and with nothing that reaches out by itself. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const missing = !existsSync(CHROMIUM) && process.env.CI !== 'true';

/** A suite that is left out, and says so, where there is no browser; in CI it goes on, and fails. */
export const describeInBrowser: typeof describe.skip = missing ? describe.skip : describe;
if (missing) process.stderr.write(`There is no browser at ${CHROMIUM}: tests of the page are left out.\n`);

export interface Visit {
  readonly page: Page;
  readonly service: Service;
  /** Goes to an address on the page, and waits for its answers. */
  readonly open: (hash: string) => Promise<void>;
}

/** To be called in a suite: gives what opens a page for a test, closed with it. What the page throws fails the test. */
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
    const faults: string[] = [];
    page.on('pageerror', (error) => faults.push(error.message));
    // A refused request is an error to the console, and what some tests are about; a policy that is broken is one.
    page.on('console', (message) => {
      if (message.type() === 'error' && !message.text().includes('the server responded with a status of 4'))
        faults.push(message.text());
    });
    const foreign: string[] = [];
    page.on('request', (request) => {
      if (!request.url().startsWith(`${url}/`)) foreign.push(request.url());
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

/** What is said to a person, once there is something to say. */
export const alert = (page: Page) => page.getByRole('alert').filter({ hasText: /./ });

/** By way of the clipboard, as a person does it. */
export async function pasteInto(page: Page, label: string, text: string): Promise<void> {
  await page.evaluate(`navigator.clipboard.writeText(${JSON.stringify(text)})`);
  await page.getByRole('textbox', { name: label, exact: true }).focus();
  await page.keyboard.press('Control+A');
  await page.keyboard.press('Control+V');
}
