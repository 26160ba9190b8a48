import { readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { defineConfig, type Plugin } from 'vite';

const liteRt = join(dirname(createRequire(import.meta.url).resolve('@litertjs/core')), '..');
const liteRtFiles = join(liteRt, 'wasm');
const { version } = JSON.parse(readFileSync(join(liteRt, 'package.json'), 'utf8'));
// The name changes with the content, so browsers may keep what is in it for good.
const liteRtFolder = `litert-${version}/`;
// LiteRT takes the first where the browser has relaxed SIMD, the second where not.
const flavours = ['litert_wasm_internal', 'litert_wasm_compat_internal'];

function copyLiteRt(): Plugin {
  return {
    name: 'copy-litert',
    generateBundle() {
      for (const file of flavours.flatMap((name) => [`${name}.js`, `${name}.wasm`])) {
        const source = readFileSync(join(liteRtFiles, file));
        this.emitFile({ type: 'asset', fileName: liteRtFolder + file, source });
      }
    },
  };
}

export default defineConfig({
  base: './',
  plugins: [copyLiteRt()],
  define: {
    LITERT_FOLDER: JSON.stringify(liteRtFolder),
    LITERT_BYTES: statSync(join(liteRtFiles, `${flavours[0]}.wasm`)).size,
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
