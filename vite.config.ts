/**
 * Builds the page, `web/`, and the layers' pages, `docs/layers/`, to `dist/web`, each file beside its compressed forms: the
 * service compresses nothing while it serves.
 */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { defineConfig, type Plugin } from 'vite';
import { htmlOf } from './scripts/reference/html.js';

const [outDir, web, layers] = ['dist/web', 'web', 'docs/layers'].map((folder) =>
  fileURLToPath(new URL(folder, import.meta.url)),
);

/** From the template that Vite has built, a page for each text. */
function layerPages(): Plugin {
  return {
    name: 'layer-pages',
    apply: 'build',
    async writeBundle() {
      const path = join(outDir, 'reference.html');
      const template = await readFile(path, 'utf8');
      await rm(path);
      const names = (await readdir(layers)).map((file) => file.replace(/\.md$/, ''));
      for (const name of names) {
        const folder = join(outDir, 'docs/layers', name);
        await mkdir(folder, { recursive: true });
        const text = await readFile(join(layers, `${name}.md`), 'utf8');
        await writeFile(join(folder, 'index.html'), htmlOf(template, name, text, names));
      }
    },
  };
}

function compressed(): Plugin {
  return {
    name: 'compressed',
    apply: 'build',
    async closeBundle() {
      const names = await readdir(outDir, { recursive: true });
      for (const name of names.filter((each) => /\.(js|css|html|svg)$/.test(each))) {
        const path = join(outDir, name);
        const bytes = await readFile(path);
        const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } };
        await writeFile(`${path}.br`, await promisify(brotliCompress)(bytes, quality));
        await writeFile(`${path}.gz`, await promisify(gzip)(bytes, { level: 9 }));
      }
    },
  };
}

export default defineConfig({
  root: web,
  // Behind a proxy the page may be below any prefix.
  base: './',
  build: {
    outDir,
    emptyOutDir: true,
    target: 'es2022',
    // The page's policy lets in no data: address.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: [join(web, 'index.html'), join(web, 'reference.html')],
      // What takes long on a busy machine is no fault of the build.
      checks: { bundlerTimings: false },
    },
  },
  plugins: [layerPages(), compressed()],
});
