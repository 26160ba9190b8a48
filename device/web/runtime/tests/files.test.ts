import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Bundle } from '../src/bundle.ts';
import { httpFiles } from '../src/files.ts';
import * as toy from './toy.ts';

const asked: string[] = [];
let server: Server;
let address: string;

beforeAll(async () => {
  const files = toy.files();
  server = createServer((request, response) => {
    asked.push(request.url ?? '');
    const name = decodeURIComponent(request.url ?? '').replace('/shelf/', '');
    const content = files.get(name);
    response.writeHead(content === undefined ? 404 : 200).end(content);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => new Promise((resolve) => server.close(resolve)));

test.each(['', '/'])('a bundle is fetched from a folder, ending in "%s"', async (end) => {
  const bundle = await Bundle.load(httpFiles(`${address}/shelf${end}`));
  expect(bundle.movies).toHaveLength(3);
  expect(new TextDecoder().decode(await bundle.read('android/config.json'))).toBe('{}');
});

test('names are parts of a path, whatever is in them', async () => {
  const read = httpFiles(new URL(`${address}/shelf?a=b`));
  await expect(read('a?b#c/d e')).rejects.toThrow('404');
  expect(asked.at(-1)).toBe('/shelf/a%3Fb%23c/d%20e?a=b');
});

test('a missing file is named with the status', async () => {
  await expect(httpFiles(`${address}/nowhere`)('manifest.json')).rejects.toThrow(
    `${address}/nowhere/manifest.json: HTTP 404 Not Found`,
  );
});

test('a server that does not answer is named', async () => {
  // Nobody listens on a port that was just given back.
  const closed = createServer();
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
  const { port } = closed.address() as AddressInfo;
  await new Promise((resolve) => closed.close(resolve));
  await expect(Bundle.load(httpFiles(`http://127.0.0.1:${port}/b`))).rejects.toThrow(
    `http://127.0.0.1:${port}/b/manifest.json: no answer`,
  );
});
