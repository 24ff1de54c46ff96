import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { formatPlace } from '../../errors.ts';
import { loadSite } from '../../site/load.ts';
import { ip } from '../../site/testing/fixture.ts';
import { findingText, type SiteFiles, withSiteFolder } from '../../site/testing/folderFixture.ts';
import { unprovenClaims } from '../claims.ts';
import { SiteDraft } from '../draft.ts';
import { writeSite } from '../write.ts';
import { readDnsmasq } from './read.ts';
import { LAB, LAN, PXE } from './samples.ts';

type Read = { readonly yaml: string; readonly remarks: readonly string[] };

/** Imports `dnsmasq.conf` of these files, as a machine with 10.0.0.2 on br0; the new site has to load. */
async function read(files: SiteFiles, use: (read: Read) => Promise<void>): Promise<void> {
  await withSiteFolder(files, async (folder) => {
    const draft = new SiteDraft();
    const addresses = new Map([['br0', [{ ip: ip('10.0.0.2'), prefix: 24 }]]]);
    await readDnsmasq(draft, join(folder, 'dnsmasq.conf'), { addresses, tree: true });
    await writeSite(draft, join(folder, 'out'), ['dnsmasq.conf']);
    const loaded = await loadSite(join(folder, 'out'));
    assert.deepEqual(loaded.ok ? [] : loaded.findings.map(findingText), []);
    assert.deepEqual(unprovenClaims(draft), []);
    const remarks = draft.remarks.map(({ kind, place, what, why, weight }) => {
      const whom = weight === undefined ? '' : ` (${weight})`;
      return `${kind}${whom} ${formatPlace(place)} ${what}${why === undefined ? '' : `: ${why}`}`;
    });
    await use({ yaml: await readFile(join(folder, 'out/site.yaml'), 'utf8'), remarks });
  });
}

describe('a dnsmasq.conf', () => {
  for (const [name, files] of Object.entries({ lan: LAN, pxe: PXE, lab: LAB })) {
    it(`becomes the site and the report of testing/dnsmasq/${name}.yaml and ${name}.txt`, () =>
      read(files, async ({ yaml, remarks }) => {
        const golden = (ending: string) =>
          readFile(join(import.meta.dirname, `../testing/dnsmasq/${name}.${ending}`), 'utf8');
        assert.equal(yaml, await golden('yaml'));
        assert.equal(`${remarks.join('\n')}\n`, await golden('txt'));
      }));
  }
});
