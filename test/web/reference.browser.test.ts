/** The pages of `docs/layers/` as they are served. */
import { expect, it } from 'vitest';
import { layers } from '../../src/layers/registry.js';
import { seriousFaults } from './axe.js';
import { browsing, describeInBrowser } from './browser.js';

const phone = { viewport: { width: 390, height: 844 } };

describeInBrowser('the page in words', () => {
  const visit = browsing();

  it.each(layers.map(({ name }) => name))('of %s can be read by anyone, on a phone as well', async (name) => {
    for (const options of [{}, { colorScheme: 'dark' as const }, phone]) {
      const { page, service } = await visit(options);
      await page.goto(`${service.url}/docs/layers/${name}/`);
      expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe(name);
      expect(await page.locator('math').count()).toBeGreaterThan(5);
      // What is typeset has no TeX left, and what is Markdown no marks.
      expect(await page.locator('main').innerText()).not.toMatch(/```|\$`|`\$|<!--|\\frac|\\text/);
      expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
      expect(await seriousFaults(page)).toEqual([]);
    }
  });

  it('leads to where the layer is tried, and is led to from there', async () => {
    const { page, open } = await visit();
    await open('#/dropout');
    await page.getByRole('link', { name: 'Derivation, conventions, other frameworks' }).click();
    expect(await page.title()).toBe('dropout – layerd');
    await page.getByRole('navigation', { name: 'Layers' }).getByRole('link', { name: 'lstm' }).click();
    expect(await page.title()).toBe('lstm – layerd');
    await page.getByRole('link', { name: 'Try it' }).click();
    await page.locator('[data-cell^="dx["]').first().waitFor();
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('lstm');
  });
});
