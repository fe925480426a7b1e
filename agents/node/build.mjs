// Builds a Node.js agent: `node build.mjs FOLDER`, where `npm ci` has been run. One file for nearly all of it, and beside it
// the packages that have to stay as they are: `epiphyte.kept` of package.json, in the order in which one needs the next.

import { build } from 'esbuild';
import fs from 'node:fs';
import path from 'node:path';

const out = process.argv[2];
const { target, kept } = JSON.parse(fs.readFileSync('package.json')).epiphyte;
const USED = /\.(js|mjs|cjs|wasm)$|^package\.json$|^(licen[sc]e|notice)/i;

const { metafile } = await build({
  entryPoints: ['agent.js'],
  outfile: path.join(out, 'agent.js'),
  bundle: true,
  platform: 'node',
  target,
  // Some instrumentations name things after functions and classes.
  keepNames: true,
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'none',
  external: kept.slice(0, 1),
  metafile: true,
  logLevel: 'error',
  // The cases that libraries of a browser's kind try.
  mainFields: ['main'],
});

for (const name of kept) copyUsed(path.join('node_modules', name), path.join(out, 'node_modules', name));
fs.writeFileSync(path.join(out, 'LICENSES.txt'), licences(Object.keys(metafile.inputs)));

function copyUsed(from, to) {
  for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [path.join(from, entry.name), path.join(to, entry.name)];
    if (entry.isDirectory()) copyUsed(source, target);
    else if (USED.test(entry.name)) {
      fs.mkdirSync(to, { recursive: true });
      fs.copyFileSync(source, target);
    }
  }
}

// The texts of the licences of all that is in the bundle, each once, with the packages that it is for.
function licences(files) {
  const texts = new Map();
  const folders = new Set(files.map((file) => file.match(/^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//)?.[1]).filter(Boolean));
  for (const folder of [...folders].sort()) {
    const { name, version, license } = JSON.parse(fs.readFileSync(path.join(folder, 'package.json')));
    const file = fs.readdirSync(folder).find((entry) => /^licen[sc]e/i.test(entry));
    const text = file ? fs.readFileSync(path.join(folder, file), 'utf8').trim() : `Licence: ${license}`;
    texts.set(text, [...(texts.get(text) ?? []), `${name} ${version}`]);
  }
  return [...texts].map(([text, names]) => `${names.join('\n')}\n\n${text}\n`).join(`\n${'-'.repeat(80)}\n\n`);
}
