import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Mac } from '../model/mac.ts';
import { vendorsOf } from './vendors.ts';

const REGISTER = `OUI/MA-L                                                    Organization
company_id                                                  Organization
00-1A-4B   (hex)\t\tHewlett Packard
001A4B     (base 16)\t\tHewlett Packard
\t\t\t\tPalo Alto
3C-EC-EF   (hex)\t\tSuper Micro Computer, Inc.\r
`;

test('vendors are read from the first register that exists', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'reveille-oui-'));
  try {
    const register = join(folder, 'oui.txt');
    await writeFile(register, REGISTER);
    const macs = ['00:1a:4b:00:00:01', '3c:ec:ef:00:00:02', '52:54:00:00:00:51'] as Mac[];
    assert.deepEqual(
      [...vendorsOf(macs, [join(folder, 'none'), register])],
      [
        [macs[0], 'Hewlett Packard'],
        [macs[1], 'Super Micro Computer, Inc.'],
      ],
    );
    assert.equal(vendorsOf(macs, [join(folder, 'none')]).size, 0);
    assert.equal(vendorsOf([], [register]).size, 0);
  } finally {
    await rm(folder, { recursive: true });
  }
});
