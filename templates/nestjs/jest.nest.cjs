const ts = require('typescript');

/**
 * Translates Nest's packages, which are ES modules, for Jest: it can require those by itself from Node 24.9 on only. So it
 * does those that call import(), which Jest cannot do either.
 *
 * @type {import('@jest/transform').SyncTransformer}
 */
module.exports = {
  process(source, fileName) {
    const { outputText } = ts.transpileModule(source.replaceAll('import.meta.url', '__filename'), {
      fileName,
      compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2023, allowJs: true },
    });
    return { code: outputText };
  },
};
