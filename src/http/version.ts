import { createRequire } from 'node:module';

/** The version of layerd. `#package.json` resolves to the package's own file from any build folder. */
export const { version } = createRequire(import.meta.url)('#package.json') as { version: string };
