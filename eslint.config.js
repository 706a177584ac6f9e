import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** What Node.js has beside the language, for the scripts that TypeScript does not check. */
const nodeScripts = {
  files: ['**/*.{js,mjs}'],
  languageOptions: {
    globals: { URL: 'readonly', console: 'readonly', fetch: 'readonly', process: 'readonly', setTimeout: 'readonly' },
  },
};

export default defineConfig(
  globalIgnores(['dist/', 'coverage/', 'src/**/assembly/']),
  js.configs.recommended,
  nodeScripts,
  {
    files: ['**/*.{ts,tsx}'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // A property that is taken out to leave the others bears the name _.
      '@typescript-eslint/no-unused-vars': ['error', { varsIgnorePattern: '^_$', argsIgnorePattern: '^_' }],
      // A type, unlike an interface, is assignable to a record of tensors.
      '@typescript-eslint/consistent-type-definitions': 'off',
      // `for (let i = 0; …)` over typed arrays is the form of a kernel, not an oversight.
      '@typescript-eslint/prefer-for-of': 'off',
    },
  },
);
