import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { OPTION_CODES } from '../../src/import/dnsmasq/optionNames.ts';
import { OPTIONS } from '../../src/import/dnsmasq/options.ts';
import { LAB, LAN, PXE } from '../../src/import/dnsmasq/samples.ts';
import { withSiteFolder } from '../../src/site/testing/folderFixture.ts';

const dnsmasq = (...args: string[]) => execFileSync('dnsmasq', args, { encoding: 'utf8', stdio: 'pipe' });

describe('the import from dnsmasq', () => {
  it('knows every option that the real dnsmasq has, and whether it takes a value', () => {
    const wrong: string[] = [];
    let seen = 0;
    for (const line of dnsmasq('--help').split('\n')) {
      const [, name, mark = ''] = /^(?:-., | {4})--([A-Za-z0-9-]+)(\[=|=)?/.exec(line) ?? [];
      if (name === undefined) continue;
      seen++;
      const shown = mark === '' ? 'none' : mark === '=' ? 'required' : 'optional';
      const known = OPTIONS.get(name)?.value;
      // The help shows no value for some that may have one.
      if (known === undefined || (known !== shown && !(shown === 'none' && known === 'optional'))) {
        if (!(shown === 'required' && known === 'optional')) wrong.push(`${name}: ${shown}, here ${known}`);
      }
    }
    assert.ok(seen > 150, `${seen} options`);
    assert.deepEqual(wrong, []);
  });

  it('knows every name that the real dnsmasq has for a DHCP option', () => {
    const names = dnsmasq('--help', 'dhcp').matchAll(/^ *(\d+) (\S+)$/gm);
    for (const [, code, name = ''] of names) assert.equal(OPTION_CODES.get(name.toLowerCase()), Number(code), name);
  });

  for (const [name, files] of Object.entries({ LAN, PXE, LAB })) {
    it(`is tried with configurations that the real dnsmasq accepts: ${name}`, () =>
      withSiteFolder(files, async (folder) => {
        for (const [file, text] of Object.entries(files)) {
          await writeFile(join(folder, file), text.replaceAll('=/etc/', `=${folder}/`));
        }
        dnsmasq('--test', '-C', join(folder, 'dnsmasq.conf'));
      }));
  }
});
