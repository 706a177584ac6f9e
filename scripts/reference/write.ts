/** `npm run reference`: writes what is generated in `docs/layers/` anew. */
import { writeFile } from 'node:fs/promises';
import { argv, cwd } from 'node:process';
import { pathToFileURL } from 'node:url';
import { allChecks } from '../../src/check/registry.js';
import { loadConfig } from '../../src/config.js';
import { buildApp } from '../../src/http/app.js';
import { pathOf, regenerated } from './pages.js';

const root = pathToFileURL(`${cwd()}/`);
const wanted = argv.slice(2);
const app = await buildApp({ config: loadConfig({}) });
try {
  const origin = await app.listen({ host: '127.0.0.1', port: 0 });
  for (const checks of allChecks)
    if (wanted.length === 0 || wanted.includes(checks.layer.name))
      await writeFile(pathOf(checks, root), await regenerated(checks, root, origin));
} finally {
  await app.close();
}
