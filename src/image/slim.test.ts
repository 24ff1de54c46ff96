import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  isModuleGlob,
  moduleGlobs,
  NEVER_SHIPPED,
  type SlimRules,
  STANDARD,
  slimmer,
  UNNEEDED_MODULES,
} from './slim.ts';

const standard: SlimRules = { slim: true, remove: [], keep: [] };

test('the standard list leaves out what no node needs and says why', () => {
  const why = slimmer(standard);
  assert.equal(why('usr/share/doc/bash/README', false), 'documentation');
  assert.equal(why('usr/share/locale/de/LC_MESSAGES/tar.mo', false), 'translations');
  assert.equal(why('usr/share/locale/es/LC_MESSAGES/tar.mo', false), 'translations');
  assert.equal(why('usr/lib/firmware/iwlwifi-7260-17.ucode', false), 'firmware for radio devices');
  assert.equal(why('var/log/apt/term.log', false), 'logs of the build');
});

test('what a node runs stays', () => {
  const why = slimmer(standard);
  for (const path of [
    'usr/bin/bash',
    'usr/share/locale/en_GB/LC_MESSAGES/tar.mo',
    'usr/share/locale/locale.alias',
    'usr/lib/firmware/bnx2x/bnx2x-e2-7.13.21.0.fw',
    'usr/lib/firmware/qed/qed_init_values-8.40.33.0.bin',
    'usr/share/zoneinfo/UTC',
    'etc/shadow',
    'var/lib/dpkg/status',
    'usr/lib/udev/hwdb.bin',
  ]) {
    assert.equal(why(path, false), undefined, path);
  }
  assert.equal(why('var/log/nginx', true), undefined, 'programs expect the folders of their logs');
});

test('secrets and traces of the builder never ship, slim or not', () => {
  const why = slimmer({ ...standard, slim: false });
  for (const path of [
    'etc/ssh/ssh_host_ed25519_key',
    'etc/apt/apt.conf.d/99mmdebstrap',
    'etc/shadow-',
    'boot/vmlinuz-6.1.0-9-amd64',
  ]) {
    assert.notEqual(why(path, false), undefined, path);
  }
  assert.equal(why('usr/share/doc/bash/README', false), undefined);
});

test('a recipe removes more, and what it keeps is stronger than all', () => {
  const why = slimmer({
    slim: true,
    remove: ['/usr/lib/python3/**/tests', '/lib/firmware'],
    keep: ['/usr/share/doc/bash', '/lib/firmware/amdgpu'],
  });
  assert.equal(why('usr/lib/python3/nova/tests/unit', true), 'the recipe removes it');
  assert.equal(why('usr/lib/firmware/bnx2', true), 'the recipe removes it');
  assert.equal(why('usr/lib/firmware/amdgpu/x.bin', false), undefined);
  assert.equal(why('usr/share/doc/bash/README', false), undefined);
  assert.equal(why('usr/share/doc/dash/README', false), 'documentation');
});

test('globs of kernel modules go to depmod, not to the packer', () => {
  const rules: SlimRules = { slim: false, remove: ['/lib/modules/*/kernel/drivers/hid', '/usr/share/x'], keep: [] };
  assert.deepEqual(moduleGlobs(rules), ['/lib/modules/*/kernel/drivers/hid', '/usr/lib/modules/*/kernel/drivers/hid']);
  assert.equal(slimmer(rules)('usr/lib/modules/6.1/kernel/drivers/hid/usbhid.ko', false), undefined);
  assert.equal(isModuleGlob('/usr/lib/modules-load.d/x'), false);
});

test('every entry of the lists is an absolute path with a reason', () => {
  for (const { glob, why } of [...NEVER_SHIPPED, ...STANDARD, ...UNNEEDED_MODULES]) {
    assert.match(glob, /^\/[^/]/);
    assert.ok(why.length > 3, glob);
  }
});

test('no driver of a server is on the list of unneeded modules', () => {
  const globs = UNNEEDED_MODULES.map((drop) => drop.glob);
  const folder = '/usr/lib/modules/*/kernel';
  for (const needed of [
    'drivers/net/ethernet',
    'drivers/nvme',
    'drivers/scsi',
    'drivers/ata',
    'drivers/vfio',
    'drivers/infiniband',
    'net/bridge',
    'net/openvswitch',
    'drivers/block',
    'fs/nfs',
    'drivers/net/bonding',
    'arch/x86/kvm',
    'drivers/char/ipmi',
    'drivers/target',
  ]) {
    assert.ok(!globs.some((glob) => `${folder}/${needed}/`.startsWith(`${glob}/`)), needed);
  }
});
