import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { siteSchema } from '../site/schema.ts';
import { SiteDraft } from './draft.ts';
import { dropUnfit } from './fit.ts';

const PLACE = { file: 'nodes.conf', line: 7, col: 3 };

describe('what no site can hold', () => {
  it('is dropped and reported, and nothing else with it', () => {
    const draft = new SiteDraft();
    draft.site.networks = {
      lan: {
        subnet: '10.0.0.0/24',
        domain: 'a b',
        search: ['c.example'],
        options: { 'root-path': '/r' },
      },
    };
    draft.site.menu = { default: 'local', entries: { bad: { kernel: 'a\tb' }, good: { kernel: 'k' } } };
    draft.remark('taken', PLACE, 'domain=a b', undefined, { at: [['networks', 'lan', 'domain']] });
    draft.remark('taken', PLACE, 'label bad', undefined, { at: [['menu', 'entries', 'bad']] });
    draft.remark('taken', PLACE, 'dhcp-range=x', undefined, { at: [['networks', 'lan']] });
    dropUnfit(draft, 'dnsmasq.conf');
    assert.deepEqual(draft.site.networks, {
      lan: { subnet: '10.0.0.0/24', search: ['c.example'], options: { 'root-path': '/r' } },
    });
    assert.deepEqual(draft.site.menu, { default: 'local', entries: { good: { kernel: 'k' } } });
    assert.deepEqual(
      draft.remarks.map(({ kind, what, place }) => `${kind} ${place.file}:${place.line} ${what}`).sort(),
      ['left nodes.conf:7 domain=a b', 'left nodes.conf:7 label bad', 'taken nodes.conf:7 dhcp-range=x'],
    );
    for (const { kind, why } of draft.remarks) if (kind === 'left') assert.match(why ?? '', /^a site cannot hold it: /);
    assert.ok(siteSchema.safeParse(draft.site).success);
  });
});
