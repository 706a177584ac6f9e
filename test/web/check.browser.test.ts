/** "Check mine": what a person pastes goes to the service's own check, and its verdict stands on the page. */
import { expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { initialState, stateOf, pageOf, type State } from '../../web/state/state.js';
import { backwardRequest } from '../../web/state/request.js';
import { writeAddress } from '../../web/state/address.js';
import type { Nested } from '../../web/tensors/tensor.js';
import { seriousFaults } from './axe.js';
import { alert, browsing, cell, describeInBrowser, grid, pasteInto, type Visit } from './browser.js';

/** As NumPy prints it. */
const printed = (rows: readonly (readonly number[])[]): string =>
  `array([${rows.map((row) => `[${row.join(', ')}]`).join(',\n       ')}])`;

async function check(page: Page, name: string, text: string): Promise<void> {
  await page.getByLabel('Mine is').selectOption(name);
  await pasteInto(page, `my ${name}`, text);
  await page.getByRole('button', { name: 'Check it' }).click();
}

const verdictOn = (page: Page, name: string) => page.getByRole('article', { name: `verdict on ${name}` });

/** Where the cells stand that are marked as wrong, and what is said of each. */
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

  it('names the path that a dx of batchnorm lacks, marks its wrong cells, and lets the right one pass', async () => {
    const { page, open } = await visit();
    const example = pageOf('batchnorm').examples.find(({ name }) => name === 'Four rows, by hand');
    if (!example) throw new Error('the example is gone');
    await open(writeAddress(stateOf('batchnorm', example)));
    // gamma / sqrt(var + epsilon) is 2 and 0.5, the mean of dout 0.625 and 1: what the mean takes from dx is 1.25 and 0.5.
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
    await verdict.getByRole('heading', { name: 'dx is right' }).waitFor();
    expect(await page.locator('.wrong').count()).toBe(0);
    expect(await verdict.textContent()).not.toContain('mean_path_missing');
    // What was pasted stays as it was, until it is forgotten.
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

  it('names the order of the gates in a gradient of lstm, and marks the rows that have moved', async () => {
    const seen = await visit();
    const { page, open } = seen;
    await open('#/lstm');
    const { dweight_ih: right } = (await gradients(seen, initialState('lstm'))) as { dweight_ih: number[][] };
    // Input, forget, output, cell, where the service has the cell gate third.
    await check(page, 'dweight_ih', printed([0, 1, 2, 3, 6, 7, 4, 5].map((row) => right[row])));
    const verdict = verdictOn(page, 'dweight_ih');
    await verdict.getByRole('heading', { name: 'dweight_ih is wrong' }).waitFor();
    const diagnosis = verdict.locator('.diagnosis').first();
    expect(await diagnosis.textContent()).toContain('gradient_gates_in_another_order');
    expect(await diagnosis.textContent()).toContain('stand in the order i, f, o, c');
    const rows = grid(page, 'my dweight_ih')
      .getByRole('row')
      .filter({ has: page.locator('.wrong') });
    expect(await rows.getByRole('rowheader').allTextContents()).toEqual(['g 4', 'g 5', 'o 6', 'o 7']);

    await check(page, 'dweight_ih', printed(right));
    await verdict.getByRole('heading', { name: 'dweight_ih is right' }).waitFor();
    expect(await page.locator('.wrong').count()).toBe(0);
  });

  it('goes to an input on which a mistake shows that this one hides', async () => {
    const { page, open } = await visit();
    // One row: a dbias that is averaged over the batch is right here.
    await open('#/linear?x=[[2,3]]&weight=[[1,2]]&bias=[0]&-dout=[[2]]');
    await check(page, 'dbias', '[2]');
    await verdictOn(page, 'dbias').getByRole('heading', { name: 'dbias is right' }).waitFor();
    await page.getByText(/known mistakes would not show on this input/).click();
    const hidden = page.getByRole('listitem').filter({ hasText: 'dbias_averaged (dbias): the batch has one row' });
    await hidden.getByRole('button', { name: 'take an input where it shows' }).click();
    await expect.poll(() => page.locator('[data-cell^="out["]').count()).toBeGreaterThan(1);
    // The claim was about other numbers.
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
    await verdictOn(page, 'dbeta').getByRole('heading', { name: 'dbeta is right' }).waitFor();
    await page
      .getByRole('region', { name: 'Check mine' })
      .getByText(/such an upstream gradient hides mistakes/)
      .waitFor();
  });

  it('judges what comes of dropout under the mask that it was made with', async () => {
    const { page, open } = await visit();
    await open('#/dropout?x=[[1,2,3,4]]&.rate=0.5&.seed=7&-dout=[[1,1,1,1]]');
    await check(page, 'mask', '[[0, 1, 1, 0]]');
    const panel = page.getByRole('region', { name: 'Check mine' });
    await panel.getByText('This mask is kept. Now paste the out or dx that you had with it').waitFor();
    await check(page, 'out', '[[0, 4, 6, 0]]');
    await verdictOn(page, 'out').getByRole('heading', { name: 'out is right' }).waitFor();
    await panel.getByText('Judged under your own mask.').waitFor();
    await panel.getByRole('button', { name: 'forget my mask' }).click();
    expect(decodeURIComponent(page.url())).not.toContain('!mask');
  });

  it('that takes long says so, and can be stopped', async () => {
    const { page, open } = await visit();
    await open('#/linear');
    // Held back: the service itself is too quick at what a page can hold.
    await page.route('**/linear/check', async (route) => {
      await new Promise((resolve) => setTimeout(resolve, 5000));
      await route.continue().catch(() => undefined);
    });
    await check(page, 'dx', '[[1, 2, 3], [4, 5, 6]]');
    await page.getByText(/Checking, \d+\.\d s/).waitFor();
    const gone = page.waitForEvent('requestfailed');
    await page.getByRole('button', { name: 'Stop' }).click();
    await gone;
    await page.getByText(/^Stopped: nothing has been said/).waitFor();
    expect(await page.getByText(/Checking, /).count()).toBe(0);
  });

  it('has its request to copy too', async () => {
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

  it('of what cannot be read says why, and asks nobody', async () => {
    const { page, open } = await visit();
    const asked: string[] = [];
    page.on('request', (request) => request.url().endsWith('/check') && asked.push(request.url()));
    await open('#/linear');
    await check(page, 'dx', '[[1, 2]');
    await alert(page).waitFor();
    expect(await alert(page).textContent()).toBe('A bracket is not closed.');
    expect(asked).toEqual([]);
  });

  it('keeps what is being typed while an option is illegal', async () => {
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

  it('says that the service refuses to look at it', async () => {
    const { page, open } = await visit();
    await open('#/linear');
    // Answered here: a service with no keys refuses nobody for asking too often.
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
