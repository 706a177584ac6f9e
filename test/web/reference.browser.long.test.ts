/** The pages of `docs/layers/` as they are served. */
import { expect, it } from 'vitest';
import { layers } from '../../src/layers/registry.js';
import { seriousFaults } from './axe.js';
import { browsing, describeInBrowser } from './browser.js';

const phone = { viewport: { width: 390, height: 844 } };

describeInBrowser('the page in words', () => {
  const visit = browsing();

  it.each(layers.map(({ name }) => name))('of %s is accessible and fits a phone', async (name) => {
    for (const options of [{}, { colorScheme: 'dark' as const }, phone]) {
      const { page, service } = await visit(options);
      await page.goto(`${service.url}/docs/layers/${name}/`);
      expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe(name);
      expect(await page.locator('math').count()).toBeGreaterThan(5);
      // Formulas have no TeX left, except in the answers of the service, and the text has no Markdown.
      const text = await page.locator('main').innerText();
      const answers = await page.locator('main pre').allInnerTexts();
      expect(answers.reduce((rest, answer) => rest.replace(answer, ''), text)).not.toMatch(
        /```|\$`|`\$|<!--|\\frac|\\text/,
      );
      expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
      expect(await seriousFaults(page)).toEqual([]);
    }
  });

  it("links to the layer's web page, and is linked from there", async () => {
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
