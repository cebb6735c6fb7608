// Compiles a TypeScript project again and again with the project's own compiler, which keeps what it has read in memory.
// Each line on standard input asks for a build; file descriptor 3 gets one line of JSON for each: {"ok": true}, or
// {"ok": false, "text": "src/a.ts:1:2 - error ..."}. Nothing is written to the project when there is an error.
//
// usage: node compile.cjs TSCONFIG, in the project's folder
'use strict';

const fs = require('node:fs');
const { createRequire } = require('node:module');
const path = require('node:path');
const readline = require('node:readline');

const ts = createRequire(path.resolve('package.json'))('typescript');
const config = path.resolve(process.argv[2]);

/** @type {Map<string, {stamp: string, file: unknown}>} files that were read, with when they were written */
const files = new Map();
let host;
let options = '';
let builder;

function settings() {
  const faults = [];
  const parsed = ts.getParsedCommandLineOfConfigFile(
    config,
    {},
    { ...ts.sys, onUnRecoverableConfigFileDiagnostic: (fault) => faults.push(fault) },
  );
  return { parsed, faults: [...faults, ...(parsed?.errors ?? [])] };
}

/** A host that reads a file again only when it was written again. */
function newHost(opts) {
  const made = ts.createIncrementalCompilerHost(opts);
  const read = made.getSourceFile.bind(made);
  made.getSourceFile = (name, ...rest) => {
    let stamp = '';
    try {
      const info = fs.statSync(name);
      stamp = `${info.mtimeMs} ${info.size}`;
    } catch {
      return undefined;
    }
    const known = files.get(name);
    if (known?.stamp === stamp) {
      return known.file;
    }
    const file = read(name, ...rest);
    files.set(name, { stamp, file });
    return file;
  };
  return made;
}

function build(emit) {
  const { parsed, faults } = settings();
  if (parsed === undefined || faults.length > 0) {
    return faults;
  }
  const now = JSON.stringify(parsed.options);
  if (now !== options) {
    options = now;
    files.clear();
    host = newHost(parsed.options);
    builder = undefined;
  }
  builder = ts.createEmitAndSemanticDiagnosticsBuilderProgram(
    parsed.fileNames, parsed.options, host, builder, undefined, parsed.projectReferences);
  const found = [
    ...builder.getOptionsDiagnostics(),
    ...builder.getSyntacticDiagnostics(),
    ...builder.getGlobalDiagnostics(),
    ...builder.getSemanticDiagnostics(),
  ].filter((d) => d.category === ts.DiagnosticCategory.Error);
  if (found.length === 0 && emit) {
    found.push(...builder.emit().diagnostics);
  }
  return found;
}

function told(found) {
  return ts.formatDiagnostics(found, {
    getCanonicalFileName: (name) => name,
    getCurrentDirectory: () => process.cwd(),
    getNewLine: () => '\n',
  });
}

build(false); // reads everything, so that the first request need not
readline.createInterface({ input: process.stdin }).on('line', () => {
  let reply;
  try {
    const found = build(true);
    reply = found.length === 0 ? { ok: true } : { ok: false, text: told(found) };
  } catch (error) {
    reply = { ok: false, broken: true, text: String(error) };
  }
  fs.writeSync(3, `${JSON.stringify(reply)}\n`);
});
