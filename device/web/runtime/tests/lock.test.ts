import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const text = readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8');

test('the lock holds versions and hashes, no addresses (npm run lock)', () => {
  expect(text).not.toContain('://');
  const packages: Record<string, { integrity?: string }> = JSON.parse(text).packages;
  const fetched = Object.keys(packages).filter(
    (name) => name.includes('node_modules/') && !name.includes('@pocketrec/'),
  );
  expect(fetched.length).toBeGreaterThan(20);
  expect(fetched.filter((name) => !packages[name]?.integrity?.startsWith('sha512-'))).toEqual([]);
});
