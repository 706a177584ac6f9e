/** The pages of `docs/layers/` as HTML, to be served: Markdown with formulas, which become MathML. */
import { Marked, type TokenizerAndRendererExtension, type Tokens } from 'marked';
import temml from 'temml';

/** From one page to another's folder, beside its own. */
const pathTo = (layer: string) => `../${layer}/`;

/** The page's policy lets in no style but its own files; `web/styles/reference.css` has what these said. */
const formula = (tex: string, displayMode: boolean): string =>
  temml.renderToString(tex, { displayMode, throwOnError: true }).replace(/ style="[^"]*"/g, '');

/** As in GitHub's Markdown, where nothing within backticks is taken for emphasis. */
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
    // What is wider than the window scrolls by itself, by keys as well.
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
    // Marks between which a page is generated.
    html: ({ text }) => (/^<!--.*-->\s*$/s.test(text) ? '' : text),
  },
});

type Inline = (tokens: Tokens.TableCell['tokens']) => string;

/** A cell with nothing in it is none: a header without words tells a screen reader nothing. */
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
 * The page of a layer.
 * @param template HTML with the places `<!-- layer -->`, `<!-- layers -->` and `<!-- text -->`
 * @param text Markdown
 * @param layers all that there are pages of
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
  return template.replace(/<!-- (\w+) -->/g, (place, name: string) => places[name] ?? place);
}
