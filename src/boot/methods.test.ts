import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { FIRMWARES } from '../model/firmware.ts';
import { LOADER_CHOICES } from '../model/node.ts';
import { ip, mac, nodeFixture, siteFixture } from '../site/testing/fixture.ts';
import { CONFIGURATIONS } from './configurations.ts';
import { decideBoot } from './decide.ts';
import { httpFiles, tftpFiles } from './files.ts';
import {
  type BootMethod,
  choiceFor,
  configurationOf,
  isLoaderName,
  loaderNamed,
  loadersFor,
  METHODS,
  packagedFile,
  servedChoices,
} from './methods.ts';

describe('the table of boot methods', () => {
  it('is whole: names are unique, each loader leads to a configuration that is made, each name is of one file', () => {
    const names = METHODS.map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
    for (const { name } of METHODS) assert.ok((configurationOf(name) ?? '') in CONFIGURATIONS, name);
    const files = METHODS.flatMap((method) =>
      method.gives === 'loader' ? [method.loader.file, ...method.loader.replaces] : [],
    );
    assert.deepEqual([...new Set(files)], files);
    for (const file of files) assert.equal(file, file.toLowerCase());
  });

  it('gives no two methods to one client with one choice', () => {
    for (const client of [...FIRMWARES, 'ipxe-http'])
      for (const choice of LOADER_CHOICES) {
        const fitting = METHODS.filter((method) => method.client === client && method.choices.includes(choice));
        assert.ok(fitting.length <= 1, `${client} ${choice}`);
      }
  });

  it('names packages that set-up installs for what boots: demo and tests', () => {
    const lines = readFileSync(join(import.meta.dirname, '../../setup/packages.txt'), 'utf8').split('\n');
    const sets = new Map(lines.map((line) => line.split(/\s+/)).map(([name = '', set = '']) => [name, set.split(',')]));
    for (const { file, package: name, modules } of loadersFor(new Set(LOADER_CHOICES))) {
      for (const one of [name, ...(modules ? [modules.package] : [])])
        for (const set of ['demo', 'test']) assert.ok(sets.get(one)?.includes(set), `${file}: ${one} in ${set}`);
    }
  });

  it('lists which choices are served, by firmware too', () => {
    const served = (...kinds: (typeof FIRMWARES)[number][]) => [...servedChoices(kinds.length > 0 ? kinds : undefined)];
    assert.deepEqual(served().sort(), ['auto', 'ipxe', 'pxelinux']);
    assert.deepEqual(served('efi-x64'), ['auto', 'ipxe']);
    assert.deepEqual(served('efi-arm64'), []);
  });

  it('knows which choice stands for a boot file of another system', () => {
    for (const [file, choice] of [
      ['pxelinux.0', 'pxelinux'],
      ['/tftpboot/lpxelinux.0', 'pxelinux'],
      ['boot\\GPXELINUX.0', 'pxelinux'],
      ['undionly.kpxe', 'ipxe'],
      ['x/undionly.0', 'ipxe'],
      ['ipxe.pxe', 'ipxe'],
      ['ipxe.kpxe', 'ipxe'],
      ['ipxe.efi', 'ipxe'],
      ['snp.efi', 'ipxe'],
      ['SNPONLY.EFI', 'ipxe'],
      ['grubx64.efi', undefined],
      ['xpxelinux.0', undefined],
      ['', undefined],
    ] as const)
      assert.equal(choiceFor(file), choice, file);
  });

  it('knows loaders by their names, the operator`s own too', () => {
    for (const name of ['pxelinux.0', 'a/lpxelinux.0', 'menu.c32', 'efi/grubx64.efi', 'x.kpxe'])
      assert.ok(isLoaderName(name), name);
    for (const name of ['vmlinuz', 'a.efi/initrd', 'pxelinux.cfg/default']) assert.ok(!isLoaderName(name), name);
  });

  it('finds packaged files by the names that they are fetched by, and modules in their folder alone', () => {
    assert.equal(packagedFile('snponly.efi', 'tftp'), '/usr/lib/ipxe/snponly.efi');
    assert.equal(packagedFile('menu.c32', 'tftp'), '/usr/lib/syslinux/modules/bios/menu.c32');
    for (const name of ['snponly.efi', 'menu.c32']) assert.equal(packagedFile(name, 'http'), undefined);
    for (const name of ['../pxelinux.0', 'a/menu.c32', '.c32/../x.c32', 'ipxe.pxe', 'lpxelinux.0'])
      assert.equal(packagedFile(name, 'tftp'), undefined, name);
  });
});

// Loaders that the table does not have yet: what a row of theirs brings about by itself.
const ARM64: BootMethod = {
  name: 'efi-arm64-ipxe',
  client: 'efi-arm64',
  choices: ['auto', 'ipxe'],
  gives: 'loader',
  transport: 'tftp',
  loader: {
    file: 'snponly-arm64.efi',
    path: join(import.meta.dirname, 'methods.ts'),
    package: 'ipxe-arm64',
    replaces: [],
    next: { method: 'ipxe-script' },
  },
};
const BY_HTTP: BootMethod = {
  name: 'efi-x64-http-ipxe',
  client: 'efi-x64-http',
  choices: ['auto', 'http'],
  gives: 'loader',
  transport: 'http',
  loader: {
    file: 'ipxe-http.efi',
    path: join(import.meta.dirname, 'decide.ts'),
    package: 'ipxe',
    replaces: [],
    next: { method: 'ipxe-script' },
  },
};

describe('a row more', () => {
  const methods = [...METHODS, ARM64, BY_HTTP];
  const MAC = mac('52:54:00:00:00:51');
  const site = siteFixture();
  const from = {
    site: () => site,
    serverOf: () => undefined,
    networkOf: () => undefined,
    imageOf: async () => undefined,
    machineIdOf: async () => undefined,
    imageFile: async () => undefined,
  };
  const pathOf = async (name: string, by: typeof tftpFiles) => {
    const file = await by(from, methods)(name, ip('10.0.0.51'));
    return file?.kind === 'file' ? file.path : undefined;
  };

  it('is all that a loader needs: it is given, served, checked and installed by it', async () => {
    const server = { ip: ip('10.0.0.2'), httpPort: 8080 };
    const boots = (firmware: (typeof FIRMWARES)[number]) => {
      const answer = decideBoot({ mac: MAC, firmware }, nodeFixture({ loader: 'auto' }), server, methods);
      return answer.kind === 'boot' ? answer.bootFile : answer.reason.code;
    };
    assert.deepEqual(
      [boots('efi-arm64'), boots('efi-x64-http'), boots('efi-ia32')],
      ['snponly-arm64.efi', 'http://10.0.0.2:8080/boot/files/ipxe-http.efi', 'no-method'],
    );
    assert.ok(servedChoices(['efi-x64-http'], methods).has('http'));
    assert.equal(choiceFor('snponly-arm64.efi', methods), 'ipxe');
    assert.equal(loaderNamed('ipxe-http.efi', methods)?.package, 'ipxe');
    assert.equal(configurationOf('efi-arm64-ipxe', methods), 'ipxe');
    assert.equal(await pathOf('snponly-arm64.efi', tftpFiles), join(import.meta.dirname, 'methods.ts'));
    assert.equal(await pathOf('files/ipxe-http.efi', httpFiles), join(import.meta.dirname, 'decide.ts'));
    assert.equal(await pathOf('ipxe-http.efi', tftpFiles), undefined);
    assert.equal(await pathOf('files/snponly-arm64.efi', httpFiles), undefined);
  });
});
