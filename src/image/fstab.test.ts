import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withoutDisks } from './fstab.ts';

for (const { name, fstab, expected } of [
  { name: 'nothing', fstab: '', expected: undefined },
  { name: 'comments', fstab: '# /dev/sda1 / ext4\n\n', expected: undefined },
  {
    name: 'what lies elsewhere',
    fstab: 'nfs:/export /srv nfs defaults 0 0\ntmpfs /tmp tmpfs size=1G 0 0\n/srv/a /b none bind 0 0\n',
    expected: undefined,
  },
  {
    name: 'disks and swap',
    fstab: 'UUID=a-b / ext4 defaults 0 1\n  /dev/sda1 /boot ext4\n/swapfile none swap sw\nnfs:/a /a nfs\n',
    expected:
      '# left out, the root is in memory: UUID=a-b / ext4 defaults 0 1\n' +
      '# left out, the root is in memory: /dev/sda1 /boot ext4\n' +
      '# left out, the root is in memory: /swapfile none swap sw\n' +
      'nfs:/a /a nfs\n',
  },
]) {
  test(`fstab of a diskless node: ${name}`, () => assert.equal(withoutDisks(fstab), expected));
}
