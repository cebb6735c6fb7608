// Becomes a Node.js service on demand: loads the packages that the project depends on, waits for a line on standard input,
// then runs the program in this very process. An end of the input without a line ends it.
//
// usage: node program.cjs PROGRAM, in the folder of the project's package.json
'use strict';

const fs = require('node:fs');
const { createRequire } = require('node:module');
const path = require('node:path');
const { pathToFileURL } = require('node:url');

const program = path.resolve(process.argv[2]);
const load = createRequire(path.resolve('package.json'));

let manifest = {};
try {
  manifest = JSON.parse(fs.readFileSync('package.json', 'utf8'));
} catch {
  // The program will say what is wrong with it.
}
for (const name of Object.keys(manifest.dependencies ?? {})) {
  try {
    load(name);
  } catch {
    // Not every package can be loaded like this, and none has to be.
  }
}

let length = 0;
try {
  length = fs.readSync(0, Buffer.alloc(64));
} catch {
  // As if it had ended.
}
if (length === 0) {
  process.exit(0);
}
process.argv.splice(1, 2, program);
if (manifest.type === 'module') {
  import(pathToFileURL(program).href);
} else {
  load(program);
}
