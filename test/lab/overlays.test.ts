import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openStore } from '../../src/state/store.ts';
import { openBootRack } from './bootRack.ts';

/** Says on the console what has become of the machine, once its last link has its address, or after half a minute. */
const SAY = `#!/bin/sh
i=0
while [ $i -lt 60 ] && ! ip -4 -o addr show dev storage 2>/dev/null | grep -q inet; do i=$((i + 1)); sleep 0.5; done
say() { echo "said $*" >/dev/console; }
say id "$(cat /etc/machine-id)"
say key "$(cut -d' ' -f 1,2 /etc/ssh/ssh_host_ed25519_key.pub)" "$(stat -c %a /etc/ssh/ssh_host_ed25519_key)"
say nqn "$(cat /etc/nvme/hostnqn)"
say issue "$(head -n 1 /etc/issue)"
for name in main second bond; do say "$name" "$(sed -n "s/^$name //p" /etc/net.txt)"; done
ip -4 -o addr | while read -r _ name _ address _; do say "address $name $address"; done
ip -o link | sed -n 's/^[0-9]*: \\([^:@]*\\).* mtu \\([0-9]*\\) .*master \\([^ ]*\\).*/part \\1 \\2 \\3/p' | while read -r line; do say "$line"; done
say default "$(ip route show default)"
say end
`;

const NAMES = `main {{ net.main.name }}
second {{ net.second.name }}
bond {{ net.link.bond0.members | join(',') }}
`;

test('a node of six cards has the network, the identity and the tokens that shipped overlays and its profile give it', async () => {
  const site = {
    networks: {
      rack: { interface: 'br0', subnet: '10.0.0.0/24', server: '10.0.0.2', gateway: '10.0.0.2', mtu: 1400 },
    },
    profiles: {
      worker: {
        image: 'bookworm-ram',
        kernelArgs: ['console=ttyS0', 'quiet', 'no_timer_check'],
        overlays: ['networkd', 'ssh-host-keys', 'identity', 'names'],
        replace: { '/etc/issue': { 'GNU/Linux': '{{ node.name }} at {{ node.ip }}' } },
        vars: {
          net: {
            main: { address: 'static' },
            bridge: {},
            bonds: { bond0: { on: [3, 4], mtu: 1450 } },
            vlans: { storage: { id: 120, on: 'bond0', subnet: '10.1.20.0/24' } },
          },
        },
      },
    },
    nodes: { node01: { mac: '52:54:00:00:01:00', ip: '10.0.0.60', profiles: ['worker'] } },
  };
  const boots = await openBootRack(
    { 'site.yaml': JSON.stringify(site), 'overlays/names/etc/net.txt.j2': NAMES, 'nodes/node01/settings.sh': SAY },
    { node01: { nics: 6, model: 'virtio-net-pci' } },
  );
  try {
    await boots.rack.boot('node01');
    const node = await boots.settled('node01');
    assert.equal(node.state, 'ready', JSON.stringify(node.boot, null, 1));
    const [, said = ''] = await boots.rack.waitForConsole('node01', /(said id[\s\S]*said end)/, 10_000);
    const of = (what: string) => new RegExp(`said ${what} (.*?)\\r?$`, 'm').exec(said)?.[1];

    const store = await openStore(boots.stateFolder, { readOnly: true });
    const identity = await store.identities.read('node01');
    await store.close();
    assert.equal(of('id'), identity.get('machine-id'));
    const key = identity.get('ssh-ed25519')?.split(' ').slice(0, 2).join(' ');
    assert.equal(of('key'), `${key} 600`);
    assert.equal(of('nqn'), `nqn.2014-08.org.nvmexpress:uuid:${identity.get('nvme-host-id')}`);
    assert.match(of('issue') ?? '', /^Debian node01 at 10\.0\.0\.60 12/);

    const main = of('main');
    const second = of('second');
    assert(main && second && main !== second);
    assert.equal(of(`address ${main}`), '10.0.0.60/24');
    assert.equal(of('address storage'), '10.1.20.60/24');
    assert.match(of('default') ?? '', new RegExp(`^default via 10\\.0\\.0\\.2 dev ${main}`));
    const parts = [...said.matchAll(/said part (\S+) (\d+) (\S+?)\r?$/gm)].map(([, name, mtu, master]) => [
      name,
      mtu,
      master,
    ]);
    assert.equal(parts.filter(([, mtu, master]) => master === 'bond0' && mtu === '1450').length, 2);
    assert.deepEqual(
      parts.filter(([, , master]) => master === 'br-provider').map(([name]) => name),
      [second],
    );
  } finally {
    await boots.close();
  }
});
