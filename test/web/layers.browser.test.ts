/** Every layer on the page, forward and backward, as a user sees it. */
import { describe, expect, it } from 'vitest';
import { layers } from '../../src/layers/registry.js';
import { catalogueEntry } from '../../src/http/catalogue-entry.js';
import { catalogue, type LayerEntry } from '../../web/state/catalogue.js';
import { backwardRequest, forwardRequest } from '../../web/state/request.js';
import { initialState, layerNames, pageOf } from '../../web/state/state.js';
import { formatCell, formatNumber } from '../../web/tensors/format.js';
import { indicesOf, nestedAt, shapeOf, type Nested } from '../../web/tensors/tensor.js';
import { atScale } from '../support/scale.js';
import { seriousFaults } from './axe.js';
import { browsing, cell, describeInBrowser } from './browser.js';

catalogue.value = new Map(layers.map((layer) => [layer.name, catalogueEntry(layer) as unknown as LayerEntry]));

describeInBrowser('the page of a layer', () => {
  const visit = browsing();

  // One layer is enough to test the page itself; the others differ only in their layer.
  describe.each(layerNames.value.filter((_, i) => atScale({ all: true, quick: i === 0 })))('%s', (name) => {
    /** Tensors whose cells are explained. */
    const explained = pageOf(name).explain ? ['dx', 'out'] : ['out'];

    it('shows what the service answers, forward and backward, in every cell', async () => {
      const { page, service, open } = await visit();
      await open(`#/${name}`);
      const state = initialState(name);
      for (const { path, body } of [forwardRequest(state), backwardRequest(state)]) {
        const answer = (await service.client.post(path).send(body).expect(200)).body as Record<string, Nested>;
        for (const [tensor, value] of Object.entries(answer).filter(([, each]) => Array.isArray(each))) {
          const expected = indicesOf(shapeOf(value)).map((index) => [
            formatCell(tensor, index),
            formatNumber(nestedAt(value, index)),
          ]);
          const cells = page.locator(`[data-cell^="${tensor}["]`);
          await cells.first().waitFor();
          const seen = await page.evaluate(
            `[...document.querySelectorAll('[data-cell^="${tensor}["]')].map((each) => [each.dataset.cell, each.textContent])`,
          );
          expect(seen).toEqual(expected);
        }
      }
    });

    it('explains a cell under the pointer, and highlights the cells it depends on', async () => {
      const { page, open } = await visit();
      await open(`#/${name}`);
      const panel = page.getByRole('complementary', { name: 'Where a cell comes from' });
      for (const tensor of explained) {
        const cells = page.locator(`[data-cell^="${tensor}["]`);
        const one = cells.nth(Math.floor((await cells.count()) / 2));
        const called = (await one.getAttribute('data-cell')) ?? '';
        const value = (await one.textContent()) ?? '';
        await one.hover();
        await panel.getByRole('heading', { name: called }).waitFor();
        await panel.locator('math').first().waitFor();
        expect(await page.locator('.lit').count()).toBeGreaterThan(0);
        expect(await panel.textContent()).not.toContain('is not the service’s value');
        // The substituted values are followed by the result, with more digits than the cell has room for.
        const told = ((await panel.textContent()) ?? '').replaceAll(/\s/g, '').replaceAll('-', '−');
        expect(told).toContain(`=${value.slice(0, 4)}`);
      }
      await page.getByRole('heading', { level: 1 }).hover();
      await panel.getByRole('heading', { name: 'Where does it come from?' }).waitFor();
      expect(await page.locator('.lit').count()).toBe(0);
    });

    it('keeps a clicked cell selected, also by keyboard', async () => {
      const { page, open } = await visit();
      await open(`#/${name}`);
      const first = page.locator('[data-cell^="dx["]').first();
      await first.focus();
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('Enter');
      const pinned = page.locator('[aria-selected="true"]');
      const called = (await pinned.getAttribute('data-cell')) ?? '';
      await page.getByRole('heading', { level: 1 }).click();
      await page.getByRole('heading', { name: called }).waitFor();
      expect(decodeURIComponent(page.url())).toContain(
        `at=${called.replace('[', ',').replace(']', '').replaceAll(' ', '')}`,
      );
      await page.getByRole('button', { name: 'Unpin' }).click();
      await page.getByRole('heading', { name: 'Where does it come from?' }).waitFor();
      expect(await cell(page, called).getAttribute('aria-selected')).toBe('false');
    });

    it.each(['light', 'dark'] as const)('has no serious accessibility violations, in %s', async (colorScheme) => {
      const { page, open } = await visit({ colorScheme });
      await open(`#/${name}`);
      await page.locator('[data-cell^="dx["]').first().click();
      await page.locator('math').first().waitFor();
      expect(await seriousFaults(page)).toEqual([]);
    });

    it('fits a phone', async () => {
      const { page, open } = await visit({ viewport: { width: 360, height: 740 } });
      await open(`#/${name}`);
      await page.locator('[data-cell^="dx["]').first().click();
      const widths = await page.evaluate('[document.documentElement.scrollWidth, innerWidth]');
      expect(widths).toEqual([360, 360]);
      // No formula is cut off, and the current layer is visible in the list.
      await page.locator('.formulas math').first().waitFor();
      const cut = `[...document.querySelectorAll('.formulas .formula')].filter((each) => each.scrollWidth > each.clientWidth).map((each) => each.textContent)`;
      expect(await page.evaluate(cut)).toEqual([]);
      const link = await page.getByRole('link', { name, exact: true }).boundingBox();
      expect((link?.x ?? 360) + (link?.width ?? 0)).toBeLessThan(360);
    });

    it('keeps a tapped cell selected, and visible above its explanation', async () => {
      const { page, open } = await visit({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
      await open(`#/${name}`);
      const touched = page.locator(`[data-cell^="${explained[0]}["]`).first();
      await page.evaluate(`document.querySelector('[data-cell^="${explained[0]}["]').scrollIntoView({ block: 'end' })`);
      const called = (await touched.getAttribute('data-cell')) ?? '';
      await touched.tap();
      const panel = page.getByRole('complementary', { name: 'Where a cell comes from' });
      await panel.getByRole('heading', { name: called }).waitFor();
      await panel.locator('math').first().waitFor();
      expect(await touched.getAttribute('aria-selected')).toBe('true');
      // The Unpin button is also visible, without scrolling the explanation.
      const [letGo, whole] = [
        await page.getByRole('button', { name: 'Unpin' }).boundingBox(),
        await panel.boundingBox(),
      ];
      expect((letGo?.y ?? 0) + (letGo?.height ?? 0)).toBeLessThan((whole?.y ?? 0) + (whole?.height ?? 0));
      await expect
        .poll(async () => {
          const [cellBox, panelBox] = [await touched.boundingBox(), await panel.boundingBox()];
          return (panelBox?.y ?? 0) - (cellBox?.y ?? 0) - (cellBox?.height ?? 0);
        })
        .toBeGreaterThanOrEqual(0);
    });
  });
});
