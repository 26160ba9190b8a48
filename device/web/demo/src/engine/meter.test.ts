import { afterEach, expect, test, vi } from 'vitest';
import { metered } from './meter';

afterEach(() => vi.unstubAllGlobals());

test('what a task fetches is counted, and it still gets it', async () => {
  const plain = vi.fn(async () => new Response('12345'));
  vi.stubGlobal('fetch', plain);
  let counted = 0;
  const text = await metered(
    (bytes) => {
      counted += bytes;
    },
    async () => {
      const [one] = await Promise.all([fetch('one'), fetch('other')]);
      return one.text();
    },
  );
  expect(text).toBe('12345');
  await vi.waitFor(() => expect(counted).toBe(10));
  expect(globalThis.fetch).toBe(plain);
});

test('what is not there counts nothing, and an error puts everything back', async () => {
  const plain = vi.fn(async () => new Response('not found', { status: 404 }));
  vi.stubGlobal('fetch', plain);
  let counted = 0;
  const task = async (): Promise<void> => {
    const response = await fetch('nowhere');
    throw new Error(`status ${response.status}`);
  };
  const failing = metered((bytes) => {
    counted += bytes;
  }, task);
  await expect(failing).rejects.toThrow('status 404');
  expect(counted).toBe(0);
  expect(globalThis.fetch).toBe(plain);
});
