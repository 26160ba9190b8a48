import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { minify, type Plugin } from 'vite';

/**
 * What LiteRT.js fetches for one thread of the CPU: the first pair, or the second one where the
 * browser has no relaxed SIMD instructions.
 */
export const LITERT_FILES = [
  'litert_wasm_internal.js',
  'litert_wasm_internal.wasm',
  'litert_wasm_compat_internal.js',
  'litert_wasm_compat_internal.wasm',
] as const;

const TYPES = { js: 'text/javascript', wasm: 'application/wasm' } as const;

/**
 * Serves LiteRT's files to the app while it is developed, and puts them beside it when it is built:
 * scripts minified, which is a third of their size.
 *
 * @param folder Where the app finds them, relative to its base: what `wasmPath` is to name.
 */
export function litertFiles(folder = 'wasm'): Plugin {
  return {
    name: 'pocketrec:litert-files',
    configureServer({ config, middlewares }) {
      middlewares.use(`${config.base}${folder}`, (request, response, next) => {
        const name = LITERT_FILES.find((file) => `/${file}` === request.url?.split('?')[0]);
        if (name === undefined) {
          next();
          return;
        }
        response.setHeader('Content-Type', TYPES[kindOf(name)]);
        createReadStream(pathOf(name)).on('error', next).pipe(response);
      });
    },
    async generateBundle() {
      for (const name of LITERT_FILES) {
        const content = await readFile(pathOf(name));
        this.emitFile({
          type: 'asset',
          fileName: `${folder}/${name}`,
          source: kindOf(name) === 'js' ? await minified(name, content.toString()) : content,
        });
      }
    },
  };
}

async function minified(name: string, code: string): Promise<string> {
  // A classic script: its top-level names are what LiteRT.js looks for.
  const result = await minify(name, code, { module: false });
  const [error] = result.errors;
  if (error !== undefined) {
    throw new Error(`${name}: ${error.message}`);
  }
  return result.code;
}

function kindOf(name: string): 'js' | 'wasm' {
  return name.endsWith('.js') ? 'js' : 'wasm';
}

function pathOf(name: string): string {
  const entry = fileURLToPath(import.meta.resolve('@litertjs/core'));
  return join(dirname(entry), '..', 'wasm', name);
}
