import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipxeScript } from '../boot/ipxe.ts';
import { ip, mac, menuFixture, nodeFixture } from '../site/testing/fixture.ts';
import { readScript } from './script.ts';

const AT = new URL('http://10.0.0.2:8080/boot/ipxe/02:00:00:00:00:01');

test('the script that the server makes for a node is read: its kernel, its initrd, and where its agent reports', () => {
  const sha256 = 'ab'.repeat(32);
  const asking = { node: nodeFixture({ image: 'ram' }), mac: mac('02:00:00:00:00:01'), built: { sha256 } };
  const text = ipxeScript('rack', menuFixture(), { ip: ip('10.0.0.2'), httpPort: 8080 }, asking);
  const script = readScript(text, AT);
  assert.equal(script?.kernel.href, `http://10.0.0.2:8080/boot/images/${sha256}/vmlinuz`);
  assert.deepEqual(script?.initrds.map(String), [`http://10.0.0.2:8080/boot/images/${sha256}/initrd`]);
  assert.equal(script?.api?.href, 'http://10.0.0.2:8080/');
});

test('of a menu the default is booted, and names are relative to the script', () => {
  const script = readScript(
    [
      '#!ipxe',
      'goto menu',
      ':menu',
      'menu Rack || goto b',
      'item a A',
      'choose --timeout 5000 --default b choice || goto b',
      'goto $' + '{choice}',
      ':a',
      'kernel http://10.0.0.9/a',
      'boot',
      ':b',
      '  kernel --name vmlinuz files/b  console=ttyS0 || goto failed',
      'initrd --name initrd0 /one || goto failed',
      'initrd two || goto failed',
      'boot || goto failed',
      'kernel http://10.0.0.9/late',
    ].join('\r\n'),
    AT,
  );
  assert.equal(script?.kernel.href, 'http://10.0.0.2:8080/boot/ipxe/files/b');
  assert.deepEqual(
    script?.initrds.map(({ pathname }) => pathname),
    ['/one', '/boot/ipxe/two'],
  );
  assert.equal(script?.api, undefined);
});

test('a script that boots no kernel over HTTP, goes round, or is none, boots nothing', () => {
  for (const text of [
    '',
    'kernel http://10.0.0.2/k\nboot',
    '#!ipxe\nexit',
    '#!ipxe\nboot\nkernel http://10.0.0.2/k',
    '#!ipxe\ngoto nowhere\nkernel http://10.0.0.2/k',
    '#!ipxe\n:a\ngoto a',
    '#!ipxe\nkernel tftp://10.0.0.2/k\nboot',
    '#!ipxe\nkernel\nboot',
  ])
    assert.equal(readScript(text, AT), undefined, text);
});
