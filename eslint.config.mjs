import tseslint from "typescript-eslint";
import architecture from "./eslint/architecture.mjs";

export default tseslint.config(
  {
    ignores: [
      "dist/",
      "gen/",
      "clients/",
      "third_party/",
      "coverage/",
      ".cache/",
      "data/",
      "backups/",
    ],
  },
  { linterOptions: { reportUnusedDisableDirectives: "error" } },
  {
    files: ["console/**"],
    rules: {
      // The console knows the host by its API alone.
      "no-restricted-imports": ["error", { patterns: ["**/src/**"] }],
    },
  },
  {
    files: ["**/*.{ts,tsx}"],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "inline-type-imports" }],
      "@typescript-eslint/no-unused-vars": [
        "error",
        { argsIgnorePattern: "^_", varsIgnorePattern: "^_", ignoreRestSiblings: true },
      ],
      "@typescript-eslint/switch-exhaustiveness-check": [
        "error",
        { considerDefaultExhaustiveForUnions: true },
      ],
      // What a template shows of a number or a boolean is what is meant.
      "@typescript-eslint/restrict-template-expressions": [
        "error",
        { allowNumber: true, allowBoolean: true, allowNullish: true },
      ],
      // Codes of ours go into enums of others by their numbers, which are the same.
      "@typescript-eslint/no-unsafe-enum-assignment": "off",
      // node:http hands sockets out as streams.
      "@typescript-eslint/no-unsafe-class-instance-assignment": "off",
      // Objects are made by functions and never look at `this`.
      "@typescript-eslint/unbound-method": "off",
      // A type parameter may say what a function is asked with and answers.
      "@typescript-eslint/no-unnecessary-type-parameters": "off",
      // An interface that promises a promise is kept by functions that need not wait.
      "@typescript-eslint/require-await": "off",
      // `() => emitter.emit()` and handlers that answer with what they called.
      "@typescript-eslint/no-confusing-void-expression": "off",
      "@typescript-eslint/no-meaningless-void-operator": "off",
      "@typescript-eslint/no-invalid-void-type": "off",
      // Bounds are checked where the compiler cannot see them.
      "@typescript-eslint/no-non-null-assertion": "off",
      // What comes from a file, a socket or a worker may be other than its type says.
      "@typescript-eslint/no-unnecessary-condition": "off",
      eqeqeq: "error",
      "no-console": "error",
      "object-shorthand": "error",
      "prefer-const": "error",
    },
  },
  {
    files: ["src/**/*.ts"],
    ignores: ["src/**/*.test.ts"],
    plugins: { holdfast: architecture },
    rules: { "holdfast/arrows": "error" },
  },
  {
    // Tests look into answers whose shape they then assert.
    files: ["**/*.test.ts", "test/**/*.ts", "bench/**/*.ts", "demo/**/*.ts", "examples/**/*.ts"],
    rules: {
      "no-console": "off",
      "@typescript-eslint/no-redundant-type-constituents": "off",
      "@typescript-eslint/no-unsafe-argument": "off",
      "@typescript-eslint/no-unsafe-assignment": "off",
      "@typescript-eslint/no-unsafe-call": "off",
      "@typescript-eslint/no-unsafe-enum-comparison": "off",
      "@typescript-eslint/no-unsafe-member-access": "off",
      "@typescript-eslint/no-unsafe-return": "off",
      "@typescript-eslint/no-dynamic-delete": "off",
      "@typescript-eslint/no-empty-function": "off",
      "@typescript-eslint/no-misused-spread": "off",
      "@typescript-eslint/use-unknown-in-catch-callback-variable": "off",
    },
  },
  { files: ["src/cli/**/*.ts"], rules: { "no-console": "off" } },
);
