import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leaveUnproven, unprovenClaims } from './claims.ts';
import { SiteDraft } from './draft.ts';

const place = { file: 'dhcpd.conf', line: 3, col: 5 };

test('what is called taken over stands in the new site', () => {
  const draft = new SiteDraft();
  draft.site.networks = { lan: { subnet: '10.0.0.0/24', pools: [{ range: '10.0.0.9' }] } };
  draft.folders.set('nodes/10-0-0-51', '/srv/tftp/10-0-0-51');
  draft.images.set('bookworm', { from: { debian: 'bookworm' }, packages: [] } as never);
  const rows: readonly (readonly [
    what: string,
    at: readonly (readonly (string | number)[])[] | undefined,
    proven: boolean,
  ])[] = [
    ['a network', [['networks', 'lan']], true],
    ['a value in a list', [['networks', 'lan', 'pools', 0, 'range']], true],
    ['a folder', [['nodes/10-0-0-51']], true],
    ['a recipe', [['images', 'bookworm']], true],
    [
      'two places, one of them empty',
      [
        ['networks', 'lan'],
        ['classes', 'a'],
      ],
      false,
    ],
    ['a key that is not there', [['networks', 'lan', 'bootFile']], false],
    ['a list that is shorter', [['networks', 'lan', 'pools', 1]], false],
    ['something in a text', [['networks', 'lan', 'subnet', 'length']], false],
    ['the whole site', [[]], false],
    ['no place', [], false],
    ['nothing', undefined, false],
  ];
  for (const [what, at] of rows) draft.remark('taken', place, what, undefined, at === undefined ? {} : { at });
  draft.remark('left', place, 'what is left out is nowhere', 'why');
  assert.deepEqual(
    unprovenClaims(draft).map(({ what }) => what),
    rows.filter(([, , proven]) => !proven).map(([what]) => what),
  );
});

test('what is called taken over and stands nowhere is left out of the report as such', () => {
  const draft = new SiteDraft();
  draft.site.networks = { lan: { subnet: '10.0.0.0/24' } };
  draft.remark('taken', place, 'there', undefined, { at: [['networks', 'lan']] });
  draft.remark('taken', place, 'not there', 'class x', { at: [['classes', 'x']], weight: 'server' });
  leaveUnproven(draft);
  assert.deepEqual(unprovenClaims(draft), []);
  const [kept, left] = draft.remarks;
  assert.equal(kept?.kind, 'taken');
  assert.deepEqual([left?.kind, left?.what, left?.weight], ['left', 'not there', 'server']);
  assert.match(left?.why ?? '', /no place for it in the new site/);
});
