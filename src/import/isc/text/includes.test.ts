import assert from 'node:assert/strict';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { withSiteFolder } from '../../../site/testing/folderFixture.ts';
import { interfaceIn } from '../interfaces.ts';
import { includesBeside, readConfiguration } from './includes.ts';

const PLACE = { file: 'dhcpd.conf', line: 1, col: 1 };
const FILES = {
  'dhcp/dhcpd.conf': '',
  'dhcp/conf.d/racks/g6.conf': 'authoritative;',
  'dhcp/hosts': '# hosts',
  secret: 'x',
};

describe('what a configuration includes', () => {
  const find = (name: string) =>
    withSiteFolder(FILES, async (folder) => {
      await symlink(join(folder, 'secret'), join(folder, 'dhcp/link'));
      return includesBeside(join(folder, 'dhcp/dhcpd.conf'))(name, PLACE).text;
    });

  for (const [name, text] of [
    ['hosts', '# hosts'],
    ['conf.d/racks/g6.conf', 'authoritative;'],
    ['./conf.d/../hosts', '# hosts'],
    ['/etc/dhcp/conf.d/racks/g6.conf', 'authoritative;'],
    ['/somewhere/else/hosts', '# hosts'],
  ] as const) {
    it(`${name} is found`, async () => assert.equal(await find(name), text));
  }

  for (const [name, message] of [
    ['../secret', /lies outside/],
    ['link', /lies outside/],
    ['/etc/passwd', /lies outside/],
    ['missing', /there is no file "missing" in /],
    ['/etc/dhcp/missing', /there is no file/],
    ['conf.d', /this is not a file/],
    ['', /./],
    ['a\0b', /there is no file/],
  ] as const) {
    it(`${JSON.stringify(name)} is refused`, async () => {
      await assert.rejects(find(name), { code: 'IMPORT_INVALID', message });
    });
  }

  it('may be in an old encoding', async () => {
    await withSiteFolder({ a: '' }, async (folder) => {
      const { writeFile } = await import('node:fs/promises');
      await writeFile(join(folder, 'a'), Buffer.from([0x23, 0xe9]));
      assert.equal(readConfiguration(join(folder, 'a')), '#é');
    });
  });
});

describe('the interface in /etc/default/isc-dhcp-server', () => {
  for (const [text, name] of [
    ['INTERFACESv4="br0"\nINTERFACESv6=""\n', 'br0'],
    ['# INTERFACESv4="old"\nINTERFACES=\'eth1\'\n', 'eth1'],
    ['INTERFACESv4="br0 br1"', undefined],
    ['INTERFACESv4=""', undefined],
    ['', undefined],
  ] as const) {
    it(`is ${name} in ${JSON.stringify(text)}`, () => assert.equal(interfaceIn(text), name));
  }
});
