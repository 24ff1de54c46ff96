import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseIpv4 } from '../model/ipv4.ts';
import { parseMac } from '../model/mac.ts';
import { InterfaceWatch } from './interfaceWatch.ts';
import { SystemCallError } from './libc.ts';

const mac = parseMac('52:54:00:00:00:01') ?? assert.fail();
const with1 = (text: string, index = 2) => ({
  addresses: new Map([['br0', [{ ip: parseIpv4(text) ?? assert.fail(), prefix: 24, mac }]]]),
  numbers: new Map([['br0', index]]),
});

describe('what is known of the interfaces', () => {
  test('is what was last seen, and a change is noticed once', () => {
    let now = with1('10.0.0.2');
    const watch = new InterfaceWatch(() => now);
    assert.equal(watch.addresses, now.addresses);
    assert.equal(watch.look(), false);
    now = with1('10.0.0.2');
    assert.equal(watch.look(), false, 'the same again');
    now = with1('10.0.0.3');
    assert.notEqual(watch.addresses, now.addresses, 'not looked yet');
    assert.equal(watch.look(), true);
    assert.equal(watch.addresses, now.addresses);
    assert.equal(watch.look(), false);
  });

  test('an interface that was made anew with the same addresses is a change', () => {
    let now = with1('10.0.0.2');
    const watch = new InterfaceWatch(() => now);
    now = with1('10.0.0.2', 3);
    assert.equal(watch.look(), true);
  });

  test('stays where the kernel cannot be asked', () => {
    const first = with1('10.0.0.2');
    let list = () => first;
    const watch = new InterfaceWatch(() => list());
    for (const code of ['EMFILE', 'ENFILE', 'ENOMEM', 'ENOBUFS']) {
      list = () => {
        throw new SystemCallError('getifaddrs', code);
      };
      assert.equal(watch.look(), false, code);
      assert.equal(watch.addresses, first.addresses, code);
    }
    list = () => with1('10.0.0.3');
    assert.equal(watch.look(), true);
  });

  test('does not hide a mistake', () => {
    let list = () => with1('10.0.0.2');
    const watch = new InterfaceWatch(() => list());
    list = () => {
      throw new TypeError('a mistake');
    };
    assert.throws(() => watch.look(), TypeError);
  });
});
