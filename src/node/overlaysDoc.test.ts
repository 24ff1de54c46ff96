import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { checkTemplates } from './check.ts';
import { overlayNamed, overlayNames } from './overlays.ts';
import { aboutText } from './overlayVars.ts';
import { filesOf, textOf, withSite } from './testing/renderFixture.ts';

const DOC = readFileSync(join(import.meta.dirname, '../../docs/overlays.md'), 'utf8');
const shipped = await Promise.all(
  (await overlayNames('/nonexistent')).map((name) => overlayNamed('/nonexistent', name)),
);

/** The rows of the table that follows `heading`, as lists of cells. */
function tableAfter(heading: string): string[][] {
  const start = DOC.indexOf(heading);
  assert(start >= 0, heading);
  const lines = DOC.slice(start + heading.length)
    .trimStart()
    .split('\n');
  const end = lines.findIndex((line) => !line.startsWith('|'));
  return lines.slice(2, end < 0 ? undefined : end).map((line) =>
    line
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim().replaceAll('\\|', '|')),
  );
}

describe('docs/overlays.md', () => {
  test('lists the overlays that come with the program', () => {
    const listed = tableAfter('## Those that come with Reveille\n\n');
    assert.deepEqual(
      listed,
      shipped.map(({ name, about }) => [`\`${name}\``, about]),
    );
  });

  for (const { name, vars } of shipped) {
    if (vars.size === 0) continue;
    test(`lists the variables of ${name}`, () => {
      const rows = [...vars].map(([key, one]) => {
        const { needed, default: fallback } = one;
        const rule = needed ? 'needed' : fallback === '' ? '' : `\`${JSON.stringify(fallback)}\``;
        return [`\`${key}\``, rule, aboutText(one)];
      });
      assert.deepEqual(tableAfter(`**${name}**\n\n`), rows);
    });
  }

  test('its example of an overlay is one', async () => {
    const block = (start: string) =>
      new RegExp(`^${start}([\\s\\S]*?)^\`\`\`$`, 'm').exec(DOC)?.[1] ?? assert.fail(start);
    const site = {
      networks: { rack: { subnet: '10.0.0.0/24' } },
      profiles: { web: { overlays: ['web'], vars: { web: { names: ['a.example.org', 'b.example.org'] } } } },
      nodes: { node01: { mac: '52:54:00:00:00:51', ip: '10.0.0.51', profiles: ['web'] } },
    };
    const files = {
      'site.yaml': JSON.stringify(site),
      'overlays/web/overlay.yaml': block('# overlays/web/overlay.yaml;.*\\n'),
      'overlays/web/etc/nginx/nginx.conf.j2': '',
      'overlays/web/etc/nginx/sites/all.files.j2': block('```jinja\\n'),
    };
    await withSite(files, async (loaded) => {
      assert.deepEqual(await checkTemplates(loaded), []);
      const given = await filesOf(loaded);
      assert.equal(given.get('/etc/nginx/nginx.conf')?.group, 'www-data');
      const conf = textOf(given, '/etc/nginx/sites/b.example.org.conf');
      assert.equal(conf, 'server { server_name b.example.org; listen 80; }\n');
    });
  });

  test('its example of a network is one', async () => {
    const [, text = ''] = /```yaml\n(vars:\n {2}net:[\s\S]*?)```/.exec(DOC) ?? [];
    const { vars } = parse(text);
    const site = {
      networks: { rack: { subnet: '10.0.0.0/24', gateway: '10.0.0.1' } },
      profiles: { role: { overlays: ['networkd', 'netplan', 'ifupdown'], vars } },
      nodes: { node01: { mac: '52:54:00:00:00:51', ip: '10.0.0.51', profiles: ['role'] } },
    };
    await withSite({ 'site.yaml': JSON.stringify(site) }, async (loaded) => {
      assert.deepEqual(await checkTemplates(loaded), []);
    });
  });
});
