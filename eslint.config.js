import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

export default defineConfig(globalIgnores(['dist/', 'coverage/']), js.configs.recommended, {
  files: ['**/*.ts'],
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
});
