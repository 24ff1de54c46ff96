import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nodeFixture } from '../site/testing/fixture.ts';
import type { BundleFile } from './bundle.ts';
import { factsOf, parseInventory } from './inventory.ts';
import { overlayNamed, overlayNames } from './overlays.ts';
import { replaceTokens } from './replace.ts';
import { createRenderer } from './templates.ts';
import { FULL_NET } from './testing/machineFixture.ts';
import { filesOf, siteWith, withSite } from './testing/renderFixture.ts';

/** What a machine might say of itself to get into a file or a script, or to be rendered once more. */
const HOSTILE = [
  `{{ range.constructor("return 1")() }}`,
  `{% for i in range(10) %}x{% endfor %}`,
  `'; touch /tmp/reached; '`,
  `"; touch /tmp/reached; "`,
  '$(touch /tmp/reached)',
  '`touch /tmp/reached`',
  '\\n[section]',
  '\0\u0000XXX',
  '../../etc/shadow',
];

/** Six cards; `text` is in every place where a machine may say any text. */
function inventory(text: string, name = (i: number) => `eth${i}`): string {
  const cards = Array.from({ length: 6 }, (_, i) => [
    `nic.${i}.name=${name(i)}`,
    `nic.${i}.mac=52:54:00:00:00:${i === 5 ? 'a6' : `5${i + 1}`}`,
    `nic.${i}.up=1`,
    `nic.${i}.boot=${i === 0 ? 1 : 0}`,
    `nic.${i}.driver=${text}`,
    `nic.${i}.path=${text}`,
  ]);
  const system = ['vendor', 'product', 'serial', 'uuid', 'bios'].map((key) => `system.${key}=${text}`);
  const disks = ['disk.0.name=sda', 'disk.0.bytes=1', `disk.0.model=${text}`, `disk.0.serial=${text}`];
  const all = [...system, `arch=${text}`, `kernel=${text}`, `cpu.model=${text}`, ...disks, ...cards.flat()];
  return `reveille.inventory=1\n${all.join('\n')}\n`;
}

const factsSaying = (text: string) => factsOf(parseInventory(Buffer.from(inventory(text))));

function place(into: Record<string, unknown>, [key = '', ...rest]: readonly string[], value: unknown): void {
  if (rest.length === 0) into[key] = value;
  else {
    into[key] ??= {};
    place(into[key] as Record<string, unknown>, rest, value);
  }
}

function shown(files: ReadonlyMap<string, BundleFile>): readonly string[] {
  return [...files.values()].map(
    (file) => `${file.path} ${'content' in file ? Buffer.from(file.content) : 'target' in file ? file.target : ''}`,
  );
}

describe('what a machine says of itself', async () => {
  for (const name of await overlayNames('/nonexistent')) {
    test(`does not get into a file of the overlay ${name}, but for names of cards that are plain words`, async () => {
      const overlay = await overlayNamed('/nonexistent', name);
      const vars: Record<string, unknown> = {};
      for (const [key, { needed, example }] of overlay.vars) if (needed) place(vars, key.split('.'), example);
      if (overlay.vars.has('net')) place(vars, ['net'], { ...FULL_NET, bonds: { bond0: { on: [4, 5] } } });
      await withSite(siteWith([name], vars), async (site) => {
        const plain = shown(await filesOf(site, 'node01', { facts: factsSaying('plain') }));
        for (const text of HOSTILE) {
          assert.deepEqual(shown(await filesOf(site, 'node01', { facts: factsSaying(text) })), plain, text);
        }
      });
    });
  }

  test('names no card but by a plain word, and takes no other text of more than a line', () => {
    for (const name of [
      'a;b',
      'a b',
      '$(id)',
      "a'b",
      'a"b',
      'a`b`',
      'a\tb',
      '',
      '-rf',
      '..',
      '.',
      'a/b',
      '{{1}}',
      'a|b',
      'a&b',
      'a\\b',
      'ä',
      'x'.repeat(16),
    ]) {
      const body = Buffer.from(inventory('plain', () => name));
      assert.throws(() => parseInventory(body), { code: 'REQUEST_INVALID' }, name);
    }
    const { system } = parseInventory(Buffer.from(inventory('a\u0085b\u001b[31mc\td\u202ee')));
    assert.doesNotMatch(system.vendor ?? '', /[\p{Cc}\u202e]/u);
  });

  test('is put in the place of a token as it is: neither rendered again nor looked at for other tokens', () => {
    const values = { XXX: '{{ facts.system.vendor }}', YYY: 'other' };
    const at = { file: 'site.yaml', line: 1, col: 1 };
    const replace = Object.entries(values).map(([token, value]) => ({
      path: '/etc/x',
      token,
      value,
      by: 'node',
      place: at,
    }));
    for (const text of ['{{ 1 + 1 }} YYY', '{% raw %}', 'XXX $& $1 YYY']) {
      const file = {
        path: '/etc/x',
        mode: 0o644,
        owner: 'root',
        group: 'root',
        origin: 'x',
        content: Buffer.from('XXX YYY'),
      };
      const files = new Map<string, BundleFile>([['/etc/x', file]]);
      replaceTokens(nodeFixture({ replace }), files, { facts: factsSaying(text) }, createRenderer());
      const after = files.get('/etc/x');
      assert(after && 'content' in after);
      assert.equal(Buffer.from(after.content).toString(), `${text} other`);
      const ofImage = new Map<string, BundleFile>();
      replaceTokens(nodeFixture({ replace }), ofImage, { facts: factsSaying(text) }, createRenderer());
      const [tokens] = ofImage.values();
      assert(tokens && 'replace' in tokens);
      assert.deepEqual(
        [...tokens.replace],
        [
          ['XXX', text],
          ['YYY', 'other'],
        ],
      );
    }
  });
});
