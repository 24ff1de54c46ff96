import assert from 'node:assert/strict';
import { join } from 'node:path';
import { it } from 'node:test';
import fc from 'fast-check';
import { withSiteFolder } from '../../site/testing/folderFixture.ts';
import { SiteDraft, type SiteText } from '../draft.ts';
import { readDnsmasq } from './read.ts';

/** A request: who sends it, and the tags that dnsmasq sets for it before it looks at `tag-if`. */
type Client = {
  readonly mac: string;
  readonly arch?: number;
  readonly ipxe: boolean;
  readonly tags: readonly string[];
};

const NODES = [
  { mac: '52:54:00:00:00:51', sets: ['a'] },
  { mac: '52:54:00:00:00:52', sets: ['a', 'b'] },
  { mac: '52:54:00:00:00:53', sets: [] },
];
const HEAD = `dhcp-range=10.0.0.100,10.0.0.149,255.255.255.0
dhcp-userclass=set:ipxe,iPXE
dhcp-match=set:efi,option:client-arch,7
dhcp-match=set:bios,option:client-arch,0
${NODES.map(({ mac, sets }, i) => `dhcp-host=${[mac, ...sets.map((tag) => `set:${tag}`), `10.0.0.5${i}`, `n${i}`].join(',')}`).join('\n')}
`;

const CLIENTS: readonly Client[] = [{ mac: '02:00:00:00:00:01', sets: [] }, ...NODES].flatMap(({ mac, sets }) =>
  [undefined, 0, 7].flatMap((arch) =>
    [false, true].map((ipxe) => ({
      mac,
      ipxe,
      ...(arch === undefined ? {} : { arch }),
      tags: [
        ...sets,
        ...(mac.startsWith('52') ? ['known'] : []),
        ...(arch === 7 ? ['efi'] : []),
        ...(arch === 0 ? ['bios'] : []),
        ...(ipxe ? ['ipxe'] : []),
      ],
    })),
  ),
);

type Rule = { readonly needs: readonly string[]; readonly sets: string };
type Boot = { readonly needs: readonly string[]; readonly file: string };

/** dnsmasq(8): the last line whose tags are set, else the last without tags. */
function meant({ tags }: Client, rules: readonly Rule[], boots: readonly Boot[]): string | undefined {
  const all = new Set(tags);
  const holds = (needs: readonly string[]) =>
    needs.every((need) => (need.startsWith('!') ? !all.has(need.slice(1)) : all.has(need)));
  for (const { needs, sets } of rules) if (holds(needs)) all.add(sets);
  const found =
    boots.findLast(({ needs }) => needs.length > 0 && holds(needs)) ??
    boots.findLast(({ needs }) => needs.length === 0);
  return found?.file;
}

/** What the new site gives: the node's last profile that has a file, else the last class, else the network. */
function got({ mac, arch, ipxe }: Client, { networks = {}, classes = {}, profiles = {}, nodes = {} }: SiteText) {
  const node = Object.values(nodes).find((one) => [one.mac].flat().includes(mac));
  const own = (node?.profiles ?? []).map((name) => profiles[name]?.bootFile).findLast((file) => file !== undefined);
  const fitting = Object.values(classes).filter(
    ({ macs, arch: archs, userClass }) =>
      (macs === undefined || [macs].flat().includes(mac)) &&
      (archs === undefined || (arch !== undefined && [archs].flat().includes(arch))) &&
      (userClass === undefined || ipxe),
  );
  const ofClass = fitting.map(({ bootFile }) => bootFile).findLast((file) => file !== undefined);
  return own ?? ofClass ?? Object.values(networks)[0]?.bootFile;
}

it('gives each machine the boot file that dnsmasq gives it, whatever the tags, or says which line has no place', async () => {
  const tag = fc.constantFrom('ipxe', 'efi', 'bios', 'a', 'b', 'known', 'x', 'y');
  const need = fc.tuple(tag, fc.boolean()).map(([name, isNot]) => (isNot ? `!${name}` : name));
  const needs = fc.uniqueArray(need, { maxLength: 3, selector: (one) => one.replace('!', '') });
  const rule = fc.record({ needs, sets: fc.constantFrom('x', 'y') });
  const boot = fc.record({ needs, file: fc.constantFrom('f1', 'f2', 'f3', 'f4') });
  let whole = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(rule, { maxLength: 2 }),
      fc.array(boot, { maxLength: 5 }),
      fc.option(fc.constantFrom('f5', 'f6'), { nil: undefined }),
      async (rules, some, plain) => {
        const boots = plain === undefined ? some : [...some, { needs: [], file: plain }];
        const lines = [
          ...rules.map((one) => `tag-if=${[`set:${one.sets}`, ...one.needs.map((text) => `tag:${text}`)].join(',')}`),
          ...boots.map((one) => `dhcp-boot=${[...one.needs.map((text) => `tag:${text}`), one.file].join(',')}`),
        ];
        await withSiteFolder({ 'dnsmasq.conf': `${HEAD}${lines.join('\n')}\n` }, async (folder) => {
          const draft = new SiteDraft();
          await readDnsmasq(draft, join(folder, 'dnsmasq.conf'), { addresses: new Map(), tree: false });
          const lost = draft.remarks.filter(
            ({ kind, what, why = '' }) =>
              what.startsWith('dhcp-boot') &&
              kind !== 'taken' &&
              !/^no request is given it|^no line sets|follows from/.test(why),
          );
          if (lost.length > 0) return;
          whole++;
          for (const client of CLIENTS) {
            assert.equal(
              got(client, draft.site),
              meant(client, rules, boots),
              `${JSON.stringify(client)}\n${lines.join('\n')}\n${JSON.stringify(draft.site, null, 1)}`,
            );
          }
        });
      },
    ),
    { numRuns: 300 },
  );
  assert.ok(whole > 100, `${whole} of 300`);
});
