import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type ViteDevServer } from 'vite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LITERT_FILES, litertFiles } from '../vite-plugin.ts';

let server: ViteDevServer;
let address: string;

beforeAll(async () => {
  const root = await mkdtemp(join(tmpdir(), 'app-'));
  await writeFile(join(root, 'index.html'), '<p>the app</p>');
  server = await createServer({
    root,
    base: '/app/',
    configFile: false,
    logLevel: 'silent',
    plugins: [litertFiles('litert')],
    server: { host: '127.0.0.1', port: 0 },
  });
  await server.listen();
  const [url = ''] = server.resolvedUrls?.local ?? [];
  address = new URL(url).origin;
});

afterAll(() => server.close());

test.each(LITERT_FILES)('while an app is developed, %s is served', async (name) => {
  const response = await fetch(`${address}/app/litert/${name}`);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe(
    name.endsWith('.js') ? 'text/javascript' : 'application/wasm',
  );
  const content = new Uint8Array(await response.arrayBuffer());
  const start = new TextDecoder().decode(content.slice(1, 4));
  expect(start === 'asm').toBe(name.endsWith('.wasm'));
  expect(content.length).toBeGreaterThan(200_000);
});

test('nothing else of that folder is', async () => {
  const response = await fetch(`${address}/app/litert/litert_wasm_jspi_internal.js`);
  expect(await response.text()).not.toContain('ModuleFactory');
});
