/** Renders the pages of `docs/layers/` as HTML: Markdown with formulas, which become MathML. */
import { Marked, type TokenizerAndRendererExtension, type Tokens } from 'marked';
import temml from 'temml';

/** Each page is served from a separate folder; this leads from one to another. */
const pathTo = (layer: string) => `../${layer}/`;

/**
 * The page's Content-Security-Policy forbids inline styles; `web/styles/reference.css` replaces those that Temml
 * writes.
 */
const formula = (tex: string, displayMode: boolean): string =>
  temml.renderToString(tex, { displayMode, throwOnError: true }).replace(/ style="[^"]*"/g, '');

/** As in GitHub's Markdown, $`…`$ encloses a formula, in which no character has a meaning for Markdown. */
const inlineFormula: TokenizerAndRendererExtension = {
  name: 'formula',
  level: 'inline',
  start: (text) => text.indexOf('$`'),
  tokenizer(text) {
    const [raw, tex] = /^\$`([^`]+)`\$/.exec(text) ?? [];
    return raw === undefined ? undefined : { type: 'formula', raw, tex };
  },
  renderer: ({ tex }) => formula(tex as string, false),
};

const marked = new Marked({
  extensions: [inlineFormula],
  renderer: {
    heading({ depth, text, tokens }) {
      const anchor = text.toLowerCase().replace(/\W+/g, '-');
      return `<h${depth} id="${anchor}">${this.parser.parseInline(tokens)}</h${depth}>\n`;
    },
    // Content wider than the window scrolls separately, and can be focused to scroll it with the keyboard.
    code({ text, lang }) {
      if (lang === 'math') return `<div class="formula" tabindex="0">${formula(text, true)}</div>\n`;
      return `<pre tabindex="0"><code>${escaped(text)}</code></pre>\n`;
    },
    link({ href, tokens }) {
      const layer = /^(\w+)\.md$/.exec(href)?.[1];
      return `<a href="${layer === undefined ? escaped(href) : pathTo(layer)}">${this.parser.parseInline(tokens)}</a>`;
    },
    table(token) {
      return `<div class="table" tabindex="0">${tableOf(token, (tokens) => this.parser.parseInline(tokens))}</div>\n`;
    },
    // The markers around generated parts of a page are dropped.
    html: ({ text }) => (/^<!--.*-->\s*$/s.test(text) ? '' : text),
  },
});

type Inline = (tokens: Tokens.TableCell['tokens']) => string;

/** An empty header cell becomes a `td`: a header without text tells a screen reader nothing. */
function tableOf({ header, rows }: Tokens.Table, inline: Inline): string {
  const cell = (name: 'th' | 'td', { tokens, text }: Tokens.TableCell) =>
    text === '' ? '<td></td>' : `<${name}>${inline(tokens)}</${name}>`;
  const line = (cells: string) => `<tr>${cells}</tr>`;
  const head = line(header.map((each) => cell('th', each)).join(''));
  const body = rows.map((row) => line(row.map((each) => cell('td', each)).join(''))).join('');
  return `<table><thead>${head}</thead><tbody>${body}</tbody></table>`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

/**
 * Renders the page of a layer.
 * @param template HTML with the placeholders `<!-- layer -->`, `<!-- layers -->` and `<!-- text -->`
 * @param text Markdown
 * @param layers the layers to link to
 */
export function htmlOf(template: string, layer: string, text: string, layers: readonly string[]): string {
  const links = layers.map((each) => {
    const current = each === layer ? ' aria-current="page"' : '';
    return `<li><a href="${pathTo(each)}"${current}>${each}</a></li>`;
  });
  const places: Readonly<Record<string, string>> = {
    layer,
    layers: links.join(''),
    text: marked.parse(text, { async: false }),
  };
  // The template is at the root, and the page three folders below it.
  const moved = template.replace(/(href|src)="\.\//g, '$1="../../../');
  return moved.replace(/<!-- (\w+) -->/g, (place, name: string) => places[name] ?? place);
}
