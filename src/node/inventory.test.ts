import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ReveilleError } from '../errors.ts';
import { factsOf, LONGEST_INVENTORY, parseInventory } from './inventory.ts';

const bytes = (...lines: string[]) => Buffer.from(`reveille.inventory=1\n${lines.join('\n')}\n`);

test('an inventory is read whole, cards and disks in natural order', () => {
  const inventory = parseInventory(
    bytes(
      'arch=x86_64',
      'kernel=6.1.0-29-cloud-amd64',
      'system.vendor=QEMU = x',
      'system.serial=  a\tb\u0001 ',
      'cpu.model=Xeon',
      'cpu.count=2',
      'memory.kib=1024',
      'nic.0.name=eth10',
      'nic.0.mac=52:54:00:00:00:10',
      'nic.1.name=eth2',
      'nic.1.mac=52:54:00:00:00:02',
      'nic.1.boot=1',
      'nic.1.up=1',
      'nic.1.speed=-1',
      'nic.1.ip=10.0.0.51',
      'disk.0.name=vda',
      'disk.0.bytes=1048576',
      'disk.0.serial=S1',
      'future.key=1',
      'future.3.key=1',
    ),
  );
  assert.deepEqual(
    inventory.nics.map((nic) => nic.name),
    ['eth2', 'eth10'],
  );
  assert.deepEqual(inventory.system, { vendor: 'QEMU = x', serial: 'a b' });
  assert.deepEqual(inventory.cpu, { model: 'Xeon', count: 2 });
  assert.deepEqual(inventory.disks, [{ name: 'vda', bytes: 1048576, serial: 'S1' }]);
  assert.equal(inventory.nics[0]?.speed, undefined);
  const facts = factsOf(inventory);
  assert.deepEqual(facts.nics[0], { name: 'eth2', mac: '52:54:00:00:00:02', boot: true, up: true, ip: '10.0.0.51' });
  assert.deepEqual(facts.nics[1], { name: 'eth10', mac: '52:54:00:00:00:10', boot: false, up: false });
});

test('what is not an inventory is refused in our own words', () => {
  for (const body of [
    Buffer.alloc(0),
    Buffer.from('hello'),
    bytes('no equals sign'),
    bytes('nic.0.name=eth0'),
    bytes('nic.0.name=eth0; rm -rf /', 'nic.0.mac=52:54:00:00:00:02'),
    bytes('disk.0.name=sda'),
    bytes(`arch=${'x'.repeat(2000)}`),
    Buffer.alloc(LONGEST_INVENTORY + 1, 'a'),
  ]) {
    assert.throws(
      () => parseInventory(body),
      (error) => error instanceof ReveilleError && error.code === 'REQUEST_INVALID',
    );
  }
});

test('no bytes make it throw anything but our own error', () => {
  const key = fc.constantFrom(
    'nic.0.name',
    'nic.0.mac',
    'nic.1.name',
    'disk.2.bytes',
    'system.uuid',
    'cpu.count',
    '__proto__',
    'nic.0.constructor',
  );
  const line = fc.tuple(key, fc.string()).map(([name, value]) => `${name}=${value}`);
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        fc.array(line).map((lines) => bytes(...lines)),
      ),
      (body) => {
        try {
          parseInventory(body);
        } catch (error) {
          if (!(error instanceof ReveilleError)) throw error;
        }
      },
    ),
  );
});
