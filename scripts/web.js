/** Builds the page to `dist/web` if it is older than its sources. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

const changedAt = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

export async function buildWeb() {
  const folders = ['web', 'src/tensor', 'docs/layers', 'scripts/reference'];
  const sources = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true }).map((name) => join(root, folder, name)),
  );
  const newest = Math.max(
    ...['vite.config.ts', 'package-lock.json'].map((name) => changedAt(join(root, name))),
    ...sources.map(changedAt),
  );
  // The file that a build writes last.
  if (changedAt(join(root, 'dist/web/index.html.gz')) > newest) return;
  const { build } = await import('vite');
  await build({ configFile: join(root, 'vite.config.ts'), logLevel: 'warn' });
}
