/** "Check mine": the service checks what a person pastes, and the page shows its verdict. */
import { expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { initialState, stateOf, pageOf, type State } from '../../web/state/state.js';
import { backwardRequest } from '../../web/state/request.js';
import { writeAddress } from '../../web/state/address.js';
import type { Nested } from '../../web/tensors/tensor.js';
import { seriousFaults } from './axe.js';
import { alert, browsing, cell, describeInBrowser, grid, pasteInto, type Visit } from './browser.js';

/** The values as NumPy prints them. */
const printed = (rows: readonly (readonly number[])[]): string =>
  `array([${rows.map((row) => `[${row.join(', ')}]`).join(',\n       ')}])`;

async function check(page: Page, name: string, text: string): Promise<void> {
  await page.getByLabel('Mine is').selectOption(name);
  await pasteInto(page, `my ${name}`, text);
  await page.getByRole('button', { name: 'Check it' }).click();
}

const verdictOn = (page: Page, name: string) => page.getByRole('article', { name: `verdict on ${name}` });

/** The positions of the cells marked as wrong, and their descriptions. */
async function marks(page: Page, name: string): Promise<(string | null)[]> {
  const wrong = await grid(page, name).locator('.wrong').all();
  return Promise.all(wrong.map((each) => each.getAttribute('title')));
}

async function gradients({ service }: Visit, state: State): Promise<Record<string, Nested>> {
  const { path, body } = backwardRequest(state);
  return (await service.client.post(path).send(body).expect(200)).body as Record<string, Nested>;
}

describeInBrowser('a check of what somebody has computed', () => {
  const visit = browsing();

  it('names the missing path of a batchnorm dx, marks its wrong cells, and passes the right one', async () => {
    const { page, open } = await visit();
    const example = pageOf('batchnorm').examples.find(({ name }) => name === 'Four rows, by hand');
    if (!example) throw new Error('the example is gone');
    await open(writeAddress(stateOf('batchnorm', example)));
    // gamma / sqrt(var + epsilon) is 2 and 0.5, the mean of dout 0.625 and 1: the path of the mean subtracts 1.25 and
    // 0.5.
    const right = [
      [-0.75, 0.4375],
      [-4.25, -0.625],
      [5.25, -0.8125],
      [-0.25, 1],
    ];
    await check(page, 'dx', printed(right.map(([a, b]) => [a + 1.25, b + 0.5])));
    const verdict = verdictOn(page, 'dx');
    await verdict.getByRole('heading', { name: 'dx is wrong' }).waitFor();
    expect(await verdict.getByText('The path through the mean was left out of dx.').count()).toBe(1);
    expect(await verdict.textContent()).toContain('subtract gamma · rstd · Σ dout / m');
    expect(await verdict.textContent()).toContain('mean_path_missing');
    expect(await verdict.textContent()).toContain('dx[3, 0]: expected −0.25, yours 1');
    expect(await marks(page, 'my dx')).toEqual(
      right.flat().map((value) => `expected ${String(value).replace('-', '−')}`),
    );
    expect(await seriousFaults(page)).toEqual([]);

    await check(page, 'dx', printed(right));
    await verdict.getByRole('heading', { name: 'dx is correct' }).waitFor();
    expect(await page.locator('.wrong').count()).toBe(0);
    expect(await verdict.textContent()).not.toContain('mean_path_missing');
    // The pasted values stay until they are removed.
    const mine = page.getByRole('textbox', { name: 'my dx' });
    expect(await mine.inputValue()).toBe(printed(right));
    await page.getByRole('button', { name: 'forget my dx' }).click();
    await expect.poll(() => mine.inputValue()).toBe('');
    expect(await verdict.count()).toBe(0);
  });

  it('marks only the cells that are wrong', async () => {
    const seen = await visit();
    const { page, open } = seen;
    await open('#/linear');
    const { dx } = (await gradients(seen, initialState('linear'))) as { dx: number[][] };
    await check(page, 'dx', printed([dx[0], dx[1].map((value) => 2 * value)]));
    await verdictOn(page, 'dx').getByRole('heading', { name: 'dx is wrong' }).waitFor();
    expect(await marks(page, 'my dx')).toEqual(['expected 0.71', 'expected −0.82', 'expected −0.545']);
  });

  it('names the order of the gates in an lstm gradient, and marks the rows that have moved', async () => {
    const seen = await visit();
    const { page, open } = seen;
    await open('#/lstm');
    const { dweight_ih: right } = (await gradients(seen, initialState('lstm'))) as { dweight_ih: number[][] };
    // Input, forget, output, cell; in the service, the cell gate is third.
    await check(page, 'dweight_ih', printed([0, 1, 2, 3, 6, 7, 4, 5].map((row) => right[row])));
    const verdict = verdictOn(page, 'dweight_ih');
    await verdict.getByRole('heading', { name: 'dweight_ih is wrong' }).waitFor();
    const diagnosis = verdict.locator('.diagnosis').first();
    expect(await diagnosis.textContent()).toContain('gradient_gates_in_another_order');
    expect(await diagnosis.textContent()).toContain('in the order i, f, o, c');
    const rows = grid(page, 'my dweight_ih')
      .getByRole('row')
      .filter({ has: page.locator('.wrong') });
    expect(await rows.getByRole('rowheader').allTextContents()).toEqual(['g 4', 'g 5', 'o 6', 'o 7']);

    await check(page, 'dweight_ih', printed(right));
    await verdict.getByRole('heading', { name: 'dweight_ih is correct' }).waitFor();
    expect(await page.locator('.wrong').count()).toBe(0);
  });

  it('leads to an input that shows a mistake which this one hides', async () => {
    const { page, open } = await visit();
    // With a single row, a dbias averaged over the batch is right.
    await open('#/linear?x=[[2,3]]&weight=[[1,2]]&bias=[0]&-dout=[[2]]');
    await check(page, 'dbias', '[2]');
    await verdictOn(page, 'dbias').getByRole('heading', { name: 'dbias is correct' }).waitFor();
    await page.getByText(/known mistakes cannot be detected on this input/).click();
    const hidden = page
      .getByRole('listitem')
      .filter({ hasText: 'divided_by_batch_size (dbias): the batch has one row' });
    await hidden.getByRole('button', { name: 'use an input that reveals it' }).click();
    await expect.poll(() => page.locator('[data-cell^="out["]').count()).toBeGreaterThan(1);
    // The claim belonged to other values.
    expect(await page.getByRole('article').count()).toBe(0);
    await expect.poll(() => page.getByRole('textbox', { name: 'my dbias' }).inputValue()).toBe('');
  });

  it('warns that a gradient of ones hides mistakes', async () => {
    const seen = await visit();
    const { page, open } = seen;
    await open('#/batchnorm');
    await page.getByRole('button', { name: 'ones', exact: true }).click();
    await expect.poll(() => cell(page, 'dbeta[0]').textContent()).toBe('12');
    await check(page, 'dbeta', '[12, 12, 12]');
    await verdictOn(page, 'dbeta').getByRole('heading', { name: 'dbeta is correct' }).waitFor();
    await page
      .getByRole('region', { name: 'Check mine' })
      .getByText(/such an upstream gradient hides mistakes/)
      .waitFor();
  });

  it('judges results of dropout with the mask that produced them', async () => {
    const { page, open } = await visit();
    await open('#/dropout?x=[[1,2,3,4]]&.rate=0.5&.seed=7&-dout=[[1,1,1,1]]');
    await check(page, 'mask', '[[0, 1, 1, 0]]');
    const panel = page.getByRole('region', { name: 'Check mine' });
    await panel.getByText('Mask saved. Now paste the out or dx that you computed with it.').waitFor();
    await check(page, 'out', '[[0, 4, 6, 0]]');
    await verdictOn(page, 'out').getByRole('heading', { name: 'out is correct' }).waitFor();
    await panel.getByText('Checked with your own mask.').waitFor();
    await panel.getByRole('button', { name: 'forget my mask' }).click();
    expect(decodeURIComponent(page.url())).not.toContain('!mask');
  });

  it('shows progress if it takes long, and can be stopped', async () => {
    const { page, open } = await visit();
    await open('#/linear');
    // Delayed artificially, because the service is too fast for inputs that fit on a page.
    let stop: () => void = () => undefined;
    const stopped = new Promise<void>((resolve) => (stop = resolve));
    await page.route('**/linear/check', async (route) => {
      await stopped;
      await route.continue().catch(() => undefined);
    });
    await check(page, 'dx', '[[1, 2, 3], [4, 5, 6]]');
    await page.getByText(/Checking, \d+\.\d s/).waitFor();
    const gone = page.waitForEvent('requestfailed');
    await page.getByRole('button', { name: 'Stop' }).click();
    await gone;
    await page.getByText(/^Stopped before there was a verdict/).waitFor();
    stop();
    expect(await page.getByText(/Checking, /).count()).toBe(0);
  });

  it('also has its request to copy', async () => {
    const { page, open } = await visit();
    await open('#/linear');
    const request = page.getByRole('region', { name: 'The request behind it' });
    expect(await request.getByRole('button', { name: 'check' }).count()).toBe(0);
    await check(page, 'dx', '[[1, 2, 3], [4, 5, 6]]');
    await request.getByRole('button', { name: 'check' }).click();
    const shown = await request.getByLabel('check request in curl').textContent();
    expect(shown).toContain('/linear/check');
    expect(shown).toContain('"claims":{"dx":[[1,2,3],[4,5,6]]}');
  });

  it('explains why values cannot be read, and sends nothing', async () => {
    const { page, open } = await visit();
    const asked: string[] = [];
    page.on('request', (request) => request.url().endsWith('/check') && asked.push(request.url()));
    await open('#/linear');
    await check(page, 'dx', '[[1, 2]');
    await alert(page).waitFor();
    expect(await alert(page).textContent()).toBe('A bracket is not closed.');
    expect(asked).toEqual([]);
  });

  it('keeps what is being typed while an option is invalid', async () => {
    const { page, open } = await visit();
    await open('#/batchnorm');
    await page.getByLabel('Mine is').selectOption('dgamma');
    await pasteInto(page, 'my dgamma', '[1, 2, 3]');
    const epsilon = page.getByRole('textbox', { name: 'epsilon' });
    await epsilon.fill('-1');
    await alert(page).waitFor();
    await page.locator('[data-cell^="out["]').first().waitFor({ state: 'detached' });
    expect(await page.getByRole('textbox', { name: 'my dgamma' }).inputValue()).toBe('[1, 2, 3]');
    await epsilon.fill('0.5');
    await page.locator('[data-cell^="out["]').first().waitFor();
    await page.getByRole('button', { name: 'Check it' }).click();
    await verdictOn(page, 'dgamma').getByRole('heading', { name: 'dgamma is wrong' }).waitFor();
  });

  it('reports that the service refuses it', async () => {
    const { page, open } = await visit();
    await open('#/linear');
    // Answered here, because a service without limits never refuses frequent requests.
    await page.route('**/linear/check', (route) =>
      route.fulfill({
        status: 429,
        contentType: 'application/problem+json',
        json: {
          type: '/problems/too-many-requests',
          title: 'Too many requests',
          status: 429,
          detail: 'Come back in 2 s.',
        },
      }),
    );
    await check(page, 'dx', '[[1, 2, 3], [4, 5, 6]]');
    await page.getByText('Come back in 2 s.').waitFor();
    expect(await page.getByRole('article').count()).toBe(0);
  });
});
