import js from '@eslint/js'
import tseslint from 'typescript-eslint'

export default tseslint.config(
  { ignores: ['dist/', '.tap/', '.demo/', '.models/', 'node_modules/'] },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // Numbers in messages are everywhere here and always mean what they show.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // An async function may satisfy an async interface without awaiting anything itself.
      '@typescript-eslint/require-await': 'off',
      // zod's .default() and index access on checked arrays make these noise rather than signal.
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
    },
  },
)
