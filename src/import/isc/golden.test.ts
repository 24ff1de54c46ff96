import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { describe, it } from 'node:test';
import { formatPlace } from '../../errors.ts';
import { loadSite } from '../../site/load.ts';
import { unprovenClaims } from '../claims.ts';
import { SiteDraft } from '../draft.ts';
import { writeSite } from '../write.ts';
import { addDhcpd } from './draft/toDraft.ts';
import { includesBeside, readConfiguration } from './text/includes.ts';
import { parseConfiguration } from './text/parser.ts';

const FIXTURES = join(import.meta.dirname, '../testing/isc');

/** Each is NAME.conf; what has to come of it is NAME.yaml, with the remarks that are not `taken` below it as comments. */
const CONFIGURATIONS = (await readdir(FIXTURES)).filter((name) => name.endsWith('.conf'));

describe('a configuration becomes a site', () => {
  assert.ok(CONFIGURATIONS.length >= 10);
  for (const name of CONFIGURATIONS) {
    it(name, async () => {
      const file = join(FIXTURES, name);
      const draft = new SiteDraft();
      const around = { addresses: new Map(), tree: name === 'rack.conf', interface: 'br0', resolved: new Map() };
      addDhcpd(parseConfiguration(file, readConfiguration(file), includesBeside(file)), around, draft);
      const folder = await mkdtemp(join(tmpdir(), 'reveille-import-'));
      try {
        const out = join(folder, 'site');
        await writeSite(draft, out, [file]);
        assert.deepEqual(unprovenClaims(draft), []);
        const loaded = await loadSite(out);
        assert.deepEqual(loaded.ok ? [] : loaded.findings, []);
        const made = `${await readFile(join(out, 'site.yaml'), 'utf8')}\n${remarks(draft)}`;
        const golden = file.replace(/\.conf$/, '.yaml');
        if (process.env.WRITE_GOLDEN === '1') await writeFile(golden, made);
        assert.equal(made, await readFile(golden, 'utf8'));
      } finally {
        await rm(folder, { recursive: true });
      }
    });
  }
});

function remarks(draft: SiteDraft): string {
  const lines = draft.remarks
    .filter(({ kind }) => kind !== 'taken')
    .map(
      ({ kind, place, what, why }) =>
        `# ${kind} ${formatPlace({ ...place, file: basename(place.file) })} ${what}: ${why}`,
    );
  return `${lines.join('\n')}\n`;
}
