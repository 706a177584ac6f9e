/** `npm run reference`: writes the generated parts of `docs/` and `README.md`. */
import { writeFile } from 'node:fs/promises';
import { argv, cwd } from 'node:process';
import { pathToFileURL } from 'node:url';
import { allChecks } from '../../src/check/registry.js';
import { loadConfig } from '../../src/config.js';
import { buildApp } from '../../src/http/app.js';
import { pathOf, regenerated } from './pages.js';
import { readme, withLayers } from './readme.js';
import { operatingPage, withVariables } from './variables.js';

const root = pathToFileURL(`${cwd()}/`);
const wanted = argv.slice(2);
await writeFile(readme(root), await withLayers(root));
if (wanted.length === 0) await writeFile(operatingPage(root), await withVariables(root));
// No limit on the event-loop delay: requests must be answered even on a busy machine.
const app = await buildApp({ config: loadConfig({ EVENT_LOOP_DELAY_LIMIT_MS: '0' }) });
try {
  const origin = await app.listen({ host: '127.0.0.1', port: 0 });
  for (const checks of allChecks)
    if (wanted.length === 0 || wanted.includes(checks.layer.name))
      await writeFile(pathOf(checks, root), await regenerated(checks, root, origin));
} finally {
  await app.close();
}
