import { readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { litertFiles } from '@pocketrec/runtime/vite';
import { defineConfig } from 'vite';

const liteRt = join(dirname(fileURLToPath(import.meta.resolve('@litertjs/core'))), '..');
const { version } = JSON.parse(readFileSync(join(liteRt, 'package.json'), 'utf8')) as {
  version: string;
};
// Another LiteRT is another folder, so browsers may keep what is in it for good.
const liteRtFolder = `litert-${version}`;

export default defineConfig({
  base: './',
  plugins: [litertFiles(liteRtFolder)],
  define: {
    LITERT_FOLDER: JSON.stringify(`${liteRtFolder}/`),
    LITERT_BYTES: statSync(join(liteRt, 'wasm', 'litert_wasm_internal.wasm')).size,
  },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: {
      input: { index: 'index.html', sw: 'src/worker/sw.ts' },
      output: {
        entryFileNames: ({ name }) => (name === 'sw' ? 'sw.js' : 'assets/[name]-[hash].js'),
      },
    },
  },
});
