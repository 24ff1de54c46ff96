import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { uuidOf } from '../../src/lab/siteRack.ts';
import { mac } from '../../src/site/testing/fixture.ts';
import { openBootRack } from './bootRack.ts';
import { writeTinySystem } from './tinySystem.ts';

const SITE = `site: menus
networks:
  rack: { interface: br0, subnet: 10.0.0.0/24, server: 10.0.0.2, gateway: 10.0.0.1 }
profiles:
  worker: { image: bookworm-ram, kernelArgs: [console=ttyS0] }
nodes:
  node01: { mac: "52:54:00:00:02:01", ip: 10.0.0.71, profiles: [worker], loader: ipxe }
  node02: { mac: "52:54:00:00:02:02", ip: 10.0.0.72, profiles: [worker], loader: pxelinux }
menu:
  timeout: 1s
  default: tiny
  entries:
    tiny: { title: A tiny system, kernel: tiny/linux, initrd: tiny/initrd.gz, args: [quiet, no_timer_check, console=ttyS0], ipappend: 7 }
tftp: { root: tftp }
`;

test('the menu`s other entries boot by themselves, from the operator`s files: over HTTP by iPXE, over TFTP by pxelinux', async () => {
  const card = { nics: 1, model: 'virtio-net-pci' } as const;
  const boots = await openBootRack({ 'site.yaml': SITE, 'tftp/tiny/README': '' }, { node01: card, node02: card });
  try {
    await writeTinySystem(join(boots.siteFolder, 'tftp/tiny'));

    const told = async (name: string) => {
      await boots.rack.boot(name);
      const [, line = ''] = await boots.rack.waitForConsole(name, /tiny is up: (.*)/, 120_000);
      return line.trim();
    };
    const [ipxe, pxelinux] = await Promise.all([told('node01'), told('node02')]);
    // pxelinux makes the words of `ipappend` itself; iPXE makes the same, but for the order of the UUID's bytes.
    const words = (last: number, uuid: string) =>
      `ip=10.0.0.7${last}:10.0.0.2:10.0.0.1:255.255.255.0 BOOTIF=01-52-54-00-00-02-0${last} SYSUUID=${uuid}`;
    const uuidOfNode = (last: number) => uuidOf(mac(`52:54:00:00:02:0${last}`));
    assert.equal(ipxe, `initrd=initrd0 quiet no_timer_check console=ttyS0 TFTP=10.0.0.2 ${words(1, uuidOfNode(1))}`);
    const files = 'BOOT_IMAGE=tiny/linux initrd=tiny/initrd.gz';
    assert.equal(
      pxelinux,
      `${files} quiet no_timer_check console=ttyS0 TFTP=10.0.0.2 ${words(2, asInMemory(uuidOfNode(2)))}`,
    );
  } finally {
    await boots.close();
  }
});

/** A UUID by its bytes as SMBIOS holds them: those of the first three fields turned round. */
function asInMemory(uuid: string): string {
  const turned = (field: string) => (field.match(/../g) ?? []).reverse().join('');
  return uuid
    .split('-')
    .map((field, i) => (i < 3 ? turned(field) : field))
    .join('-');
}
