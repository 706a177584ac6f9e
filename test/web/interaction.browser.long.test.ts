/** User actions on the page: typing, pasting, choosing, copying, stopping, returning by a link. */
import { expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { runProgram } from '../support/children.js';
import { alert, browsing, cell, describeInBrowser, grid, pasteInto } from './browser.js';
import { until } from '../support/until.js';

describeInBrowser('on the page', () => {
  const visit = browsing();

  it('typing a number changes the answer and the address', async () => {
    const { page, open } = await visit();
    await open('#/linear');
    await page.getByRole('textbox', { name: 'x[0, 0]', exact: true }).fill('11');
    // 11 · 0.5 + 2 · 0 − 3 · 0.5 + 1
    await expect.poll(() => cell(page, 'out[0, 0]').textContent()).toBe('5');
    expect(decodeURIComponent(page.url())).toContain('x=[[11,2,3]');
  });

  it('a cell that is not a number is reported at the cell', async () => {
    const { page, open } = await visit();
    await open('#/linear');
    const field = page.getByRole('textbox', { name: 'x[1, 2]', exact: true });
    await field.fill('two');
    await alert(page).waitFor();
    expect(await alert(page).textContent()).toMatch(/x\/1\/2 is "two"/);
    expect(await field.getAttribute('aria-invalid')).toBe('true');
    await field.fill('2');
    await expect.poll(() => alert(page).count()).toBe(0);
    expect(await field.getAttribute('aria-invalid')).toBe('false');
  });

  it.each([
    ['a spreadsheet', '1\t2\t3\n4\t5\t6\n7\t8\t9'],
    ['CSV', '1,2,3\r\n4,5,6\r\n7,8,9\r\n'],
    ['NumPy', 'array([[1., 2., 3.],\n       [4., 5., 6.],\n       [7., 8., 9.]])'],
    ['JSON', '[[1,2,3],[4,5,6],[7,8,9]]'],
  ])('data pasted from %s replaces the tensor and its shape', async (_, text) => {
    const { page, open } = await visit();
    await open('#/linear');
    await pasteInto(page, 'x[0, 0]', text);
    await expect.poll(() => grid(page, 'out').getByRole('gridcell').count()).toBe(12);
    // 7 · 0.5 − 9 · 0.5 + 1
    await expect.poll(() => cell(page, 'out[2, 0]').textContent()).toBe('0');
    // The upstream gradient has adopted the shape of out.
    await expect.poll(() => grid(page, 'dx').getByRole('gridcell').count()).toBe(9);
  });

  it('pasted text that cannot be read is explained, and changes nothing', async () => {
    const { page, open } = await visit();
    await open('#/linear');
    await pasteInto(page, 'x[0, 0]', '[[1, 2], [3, apple]]');
    await alert(page).waitFor();
    expect(await alert(page).textContent()).toContain('"apple" is not a number');
    expect(await page.getByRole('textbox', { name: 'x[0, 0]', exact: true }).inputValue()).toBe('1');
  });

  it('a pasted number changes only its cell', async () => {
    const { page, open } = await visit();
    await open('#/linear');
    await pasteInto(page, 'x[0, 0]', '11');
    await expect.poll(() => cell(page, 'out[0, 0]').textContent()).toBe('5');
  });

  it('typing a shape enlarges the tensor', async () => {
    const { page, open } = await visit();
    await open('#/pooling');
    const shape = page.getByRole('textbox', { name: 'shape of x' });
    await shape.fill('1, 1, 10, 8');
    await shape.press('Enter');
    await expect.poll(() => grid(page, 'dx[0, 0]').getByRole('gridcell').count()).toBe(80);
  });

  it('an invalid option is explained at its field until it is valid again', async () => {
    const { page, open } = await visit();
    await open('#/batchnorm');
    const epsilon = page.getByRole('textbox', { name: 'epsilon' });
    await epsilon.fill('-1');
    await alert(page).waitFor();
    expect(await alert(page).textContent()).toBe('epsilon is -1; expected a number, at least 0');
    expect(await epsilon.getAttribute('aria-invalid')).toBe('true');
    // The message is also announced to screen readers.
    const described = ((await epsilon.getAttribute('aria-describedby')) ?? '').split(' ');
    const said = await Promise.all(described.map((id) => page.locator(`#${id}`).textContent()));
    expect(said.join(' ')).toContain('expected a number, at least 0');
    expect(await page.locator('[data-cell]').count()).toBe(0);
    await epsilon.fill('0.5');
    await cell(page, 'dx[0, 0]').waitFor();
    expect(await alert(page).count()).toBe(0);
  });

  it('an option that does not fit the others is explained at its field', async () => {
    const { page, open } = await visit();
    await open('#/convolution');
    await page.getByRole('textbox', { name: 'groups' }).fill('3');
    await alert(page).waitFor();
    expect(await alert(page).textContent()).toBe("groups is 3; expected a divisor of x's 1 channel");
  });

  it('every option of the catalogue has a field', async () => {
    const { page, service, open } = await visit();
    for (const { layer, forward } of (
      (await service.client.get('/layers').expect(200)).body as {
        layers: { layer: string; forward: { options: Record<string, { default?: unknown }> } }[];
      }
    ).layers) {
      await open(`#/${layer}`);
      const form = page.getByRole('form', { name: 'Options' });
      for (const name of [...Object.keys(forward.options), 'dtype'])
        expect(await form.getByLabel(name, { exact: true }).count(), `${layer}.${name}`).toBe(1);
    }
  });

  it('a chosen option is sent', async () => {
    const { page, open } = await visit();
    await open('#/pooling');
    await page.getByRole('combobox', { name: 'mode', exact: true }).selectOption('average');
    await expect.poll(() => cell(page, 'out[0, 0, 1, 1]').textContent()).toBe('0.35');
    expect(page.url()).toContain('.mode=%22average%22');
  });

  it('an optional tensor can be added and removed', async () => {
    const { page, open } = await visit();
    await open('#/linear');
    await page.getByRole('button', { name: 'without bias' }).click();
    await expect.poll(() => cell(page, 'dbias[0]').count()).toBe(0);
    await page.getByRole('button', { name: 'add bias' }).click();
    await cell(page, 'dbias[3]').waitFor();
    expect(await page.getByRole('textbox', { name: 'bias[3]', exact: true }).inputValue()).toBe('0');
  });

  it('an upstream gradient of ones causes a warning', async () => {
    const { page, open } = await visit();
    await open('#/batchnorm');
    await page.getByRole('button', { name: 'ones', exact: true }).click();
    await page.getByText('Ones hide mistakes').waitFor();
    await expect.poll(() => cell(page, 'dbeta[0]').textContent()).toBe('12');
  });

  it('a link shows the same state to others', async () => {
    const { page, open } = await visit();
    await open('#/batchnorm');
    await page.getByRole('textbox', { name: 'x[0, 0]', exact: true }).fill('7.25');
    await page.getByRole('textbox', { name: 'epsilon' }).fill('0.25');
    await page.getByRole('textbox', { name: 'dout[3, 2]', exact: true }).fill('-9');
    await cell(page, 'dx[3, 2]').click();
    await page.getByRole('heading', { name: 'dx[3, 2]' }).waitFor();
    await expect.poll(() => page.locator('.progress').count()).toBe(0);
    const link = page.url();
    const panel = page.getByRole('complementary');
    const seen = async (on: Page) => [
      await on.locator('[data-cell]').allTextContents(),
      await on.getByRole('complementary').textContent(),
    ];
    await panel.locator('math').nth(3).waitFor();
    const mine = await seen(page);

    const other = await visit();
    await other.page.goto(link.replace(/^http:\/\/[^/]+/, other.service.url));
    await other.page.getByRole('heading', { name: 'dx[3, 2]' }).waitFor();
    await other.page.getByRole('complementary').locator('math').nth(3).waitFor();
    await expect.poll(() => seen(other.page)).toEqual(mine);
    expect(await other.page.getByRole('textbox', { name: 'epsilon' }).inputValue()).toBe('0.25');
    expect(await other.page.getByRole('textbox', { name: 'dout[3, 2]', exact: true }).inputValue()).toBe('-9');
  });

  it('the name of the layer is the title of the window', async () => {
    const { page, open } = await visit();
    await open('#/linear');
    expect(await page.title()).toBe('linear · layerd');
    await page.getByRole('navigation').getByRole('link', { name: 'lstm' }).click();
    await expect.poll(() => page.title()).toBe('lstm · layerd');
  });

  it('going back shows the previous layer', async () => {
    const { page, open } = await visit();
    await open('#/linear');
    await page.getByRole('textbox', { name: 'x[0, 0]', exact: true }).fill('11');
    await expect.poll(() => cell(page, 'out[0, 0]').textContent()).toBe('5');
    await page.getByRole('navigation').getByRole('link', { name: 'dropout' }).click();
    await page.getByRole('heading', { level: 1, name: 'dropout' }).waitFor();
    await page.goBack();
    await page.getByRole('heading', { level: 1, name: 'linear' }).waitFor();
    await expect.poll(() => cell(page, 'out[0, 0]').textContent()).toBe('5');
  });

  it('the copied curl command returns the values on the page', async () => {
    const { page, open } = await visit();
    await open('#/lstm');
    const request = page.getByRole('region', { name: 'The request behind it' });
    await request.getByRole('button', { name: 'backward' }).click();
    await request.getByRole('button', { name: 'Copy' }).click();
    await request.getByRole('button', { name: 'Copied' }).waitFor();
    const command = await page.evaluate<string>('navigator.clipboard.readText()');
    const env = { ...process.env, no_proxy: '127.0.0.1', NO_PROXY: '127.0.0.1' };
    const { stdout } = await runProgram('sh', ['-c', command], { env });
    const { dx } = JSON.parse(stdout) as { dx: number[][][] };
    expect(dx[0].map(([value]) => Number(value.toPrecision(4)))).toEqual(
      (await page.locator('[data-cell^="dx["]').allTextContents()).map((text) => Number(text.replace('−', '-'))),
    );
  });

  it('a long computation shows progress, and can be stopped', async () => {
    const { page, open } = await visit();
    await open('#/linear');
    let stop: () => void = () => undefined;
    const stopped = new Promise<void>((resolve) => (stop = resolve));
    await page.route('**/linear/forward', async (route) => {
      await stopped;
      await route.continue().catch(() => undefined);
    });
    await page.getByRole('textbox', { name: 'x[0, 0]', exact: true }).fill('11');
    await page.getByText(/Computing, \d+\.\d s/).waitFor();
    const gone = page.waitForEvent('requestfailed');
    await page.getByRole('button', { name: 'Stop' }).click();
    await gone;
    await page.getByText('Stopped.').waitFor();
    stop();
    await page.unroute('**/linear/forward');
    await page.getByRole('button', { name: 'Compute' }).click();
    await expect.poll(() => cell(page, 'out[0, 0]').textContent()).toBe('5');
  });

  it('dropout draws another mask, and shows the average over many masks', async () => {
    const { page, open } = await visit();
    await open('#/dropout');
    const mask = () => page.locator('[data-cell^="mask["]').allTextContents();
    const before = await mask();
    await page.getByRole('button', { name: 'Draw another mask' }).click();
    await expect.poll(mask).not.toEqual(before);
    await page.getByRole('button', { name: 'Draw 200 times' }).click();
    await page.getByText('Average of out over 200 draws').waitFor();
    const average = await grid(page, 'average').getByRole('gridcell').allTextContents();
    // 24 is kept in 70 of 100 draws, as 34.29. Five standard deviations of the mean of 200 draws are 5.6.
    expect(Math.abs(Number(average[23]) - 24)).toBeLessThan(5.6);
    await page.getByRole('img', { name: /Mean of out/ }).waitFor();
  });

  it('dropout explains why it cannot draw more masks', async () => {
    const { page, open } = await visit();
    await open('#/dropout');
    // Answered here, because a service without limits never refuses frequent requests.
    await page.route('**/dropout/forward', (route) =>
      route.fulfill({
        status: 429,
        contentType: 'application/problem+json',
        json: { title: 'Too many requests', status: 429, detail: 'Come back in 2 s.' },
      }),
    );
    await page.getByRole('button', { name: 'Draw 200 times' }).click();
    await expect.poll(() => alert(page).textContent()).toBe('Come back in 2 s.');
    await page.getByRole('button', { name: 'Draw 200 times' }).waitFor();
  });

  it('the window moves with the arrow keys and when played', async () => {
    const { page, open } = await visit();
    await open('#/convolution');
    await page.getByRole('button', { name: 'one window on' }).focus();
    await page.keyboard.press('ArrowRight');
    await page.getByRole('heading', { name: 'out[0, 0, 0, 0]' }).waitFor();
    await page.keyboard.press('ArrowRight');
    await page.getByRole('heading', { name: 'out[0, 0, 0, 1]' }).waitFor();
    expect(await page.locator('.padded .tap').count()).toBe(9);
    await page.getByRole('button', { name: 'Play' }).click();
    await page.getByRole('heading', { name: 'out[0, 0, 0, 3]' }).waitFor();
    await page.getByRole('button', { name: 'Pause' }).click();
  });

  it.each(['rnn', 'lstm'])('%s plots states and gradients over time, with a table', async (layer) => {
    const { page, open } = await visit();
    await open(`#/${layer}`);
    for (const name of layer === 'lstm' ? [/^States/, /^Gates/, /^Gradients/] : [/^States/, /^Gradients/])
      await page.getByRole('img', { name }).locator('canvas').waitFor();
    await page.getByText('The same as a table').click();
    const rows = page.getByRole('region', { name: 'States, gates and gradients over time' }).getByRole('row');
    expect(await rows.count()).toBe(17);
    const outs = await page.locator('[data-cell^="out["][data-cell$=" 0]"]').allTextContents();
    expect(await rows.locator('td:nth-child(3)').allTextContents()).toEqual(outs);
  });

  it('plots change their colours in dark mode', async () => {
    const drawn = async (page: Page) => {
      const canvas = page.getByRole('img', { name: /^States/ }).locator('canvas');
      await canvas.waitFor();
      return page.evaluate<string>(`document.querySelector('.plot canvas').toDataURL()`);
    };
    const dark = await visit({ colorScheme: 'dark' });
    await dark.open('#/rnn');
    const { page, open } = await visit({ colorScheme: 'light' });
    await open('#/rnn');
    const before = await drawn(page);
    await page.emulateMedia({ colorScheme: 'dark' });
    await expect.poll(() => drawn(page)).toBe(await drawn(dark.page));
    expect(await drawn(page)).not.toBe(before);
  });

  it('a large tensor is shown in parts', async () => {
    const { page, open } = await visit();
    await open('#/dropout');
    const shape = page.getByRole('textbox', { name: 'shape of x' });
    await shape.fill('200, 100');
    await shape.press('Enter');
    await page.getByText('rows 0 to 31 of 200').first().waitFor();
    const card = page.getByRole('region', { name: 'out', exact: true });
    await card.getByRole('button', { name: 'later rows' }).click();
    await cell(page, 'out[32, 0]').waitFor();
    expect(await cell(page, 'out[0, 0]').count()).toBe(0);
  });

  it('a sequence that is too long to explain is still shown and computed', async () => {
    const { page, open } = await visit();
    await open('#/lstm');
    const shape = page.getByRole('textbox', { name: 'shape of x' });
    await shape.fill('1, 2000, 1');
    await shape.press('Enter');
    await page.getByText('rows 0 to 31 of 2000').first().waitFor();
    await expect.poll(() => page.locator('.answer').count()).toBeGreaterThan(3);
    await cell(page, 'out[0, 3, 1]').hover();
    await page.getByText('The formula has too many terms to show here').waitFor();
  });

  it('is painted before its script has loaded', async () => {
    const { page, service, open } = await visit();
    let send: () => void = () => undefined;
    const painted = new Promise<void>((resolve) => (send = resolve));
    await page.route('**/assets/*.js', async (route) => {
      await painted;
      await route.continue();
    });
    await page.goto(`${service.url}/#/lstm`, { waitUntil: 'commit' });
    // The page's policy forbids evaluating strings on the page.
    await until(async () => {
      expect(await page.evaluate(`performance.getEntriesByName('first-contentful-paint').length`)).toBe(1);
    });
    await page.getByRole('banner').waitFor();
    send();
    await open('#/lstm');
    // The initial content has been replaced.
    expect(await page.getByRole('banner').count()).toBe(1);
  });
});
