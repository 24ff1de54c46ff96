import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { type DhcpServer, startDhcpServer } from '../../src/dhcp/server.ts';
import { networkOf, siteOf } from '../../src/dhcp/testing/fixture.ts';
import { ip, mac, nodeOf } from '../../src/site/testing/fixture.ts';
import { memoryStore, requireTools } from './dhcp.rig.ts';
import { Machine, note, type Step, type Told } from './twin-clients.ts';
import { ClientEnd, layTwins, SENTINEL, takeTwinsDown } from './twins.rig.ts';

/** Replies leave from the address that they name (option 54), whichever of its interface's addresses that is. */

requireTools();

const NODE = mac('52:54:00:00:00:51');
const FAR = mac('52:54:00:00:07:51');
let server: DhcpServer;
let end: ClientEnd;

/** The interface has four addresses, three of them in the rack's subnet; the site names none of the first. */
const { interface: _, ...far } = networkOf('far', '10.7.0.0/24', [['10.7.0.100-10.7.0.110', 'any']], {
  server: ip('10.0.0.4'),
});
const site = siteOf(
  [
    networkOf('rack', '10.0.0.0/24', [['10.0.0.100-10.0.0.110', 'any']], { interface: 'lan0', server: ip('10.0.0.3') }),
    networkOf('lan', '192.168.0.0/24', [], { interface: 'lan0', server: ip('192.168.0.2') }),
    far,
  ],
  [
    nodeOf('node01', [NODE], { ip: ip('10.0.0.51'), network: 'rack' }),
    nodeOf('far01', [FAR], { ip: ip('10.7.0.51'), network: 'far' }),
    nodeOf('sentinel', [SENTINEL], { ip: ip('10.0.0.250'), network: 'rack' }),
  ],
);

beforeEach(async () => {
  layTwins(['10.0.0.2/24', '10.0.0.3/24', '10.0.0.4/24', '192.168.0.2/24'], ['10.7.0.0/24']);
  server = await startDhcpServer({
    site: () => site,
    store: memoryStore(),
    boot: () => ({ kind: 'none', reason: { code: 'not-listed' } }),
    events: () => {},
  });
  end = new ClientEnd('reveille');
});

afterEach(async () => {
  end.close();
  await server.close();
  takeTwinsDown();
});

describe('replies leave from the address that they name', () => {
  const node = new Machine('node01', NODE);
  const relayed = new Machine('far01', FAR, undefined, { giaddr: '10.7.0.1', server: '10.0.0.4' });
  const routed = new Machine('far01 itself', FAR);
  const rows: [what: string, steps: Step[], from: string][] = [
    ['to a client without an address', [node.discover(), node.select()], '10.0.0.3'],
    ['by broadcast', [node.broadcast().discover(), node.broadcast().select()], '10.0.0.3'],
    ['to one that renews', [node.discover(), node.select(), node.renew('10.0.0.3')], '10.0.0.3'],
    ['to one that renews with another of the addresses', [node.discover(), node.renew('10.0.0.2')], '10.0.0.3'],
    ['to one that rebinds', [node.discover(), node.rebind()], '10.0.0.3'],
    ['to INFORM', [node.inform('10.0.0.77'), node.informWithoutAddress('10.0.0.77')], '10.0.0.3'],
    ['of another subnet', [node.inform('192.168.0.77')], '192.168.0.2'],
    ['a refusal', [node.reboot('10.0.0.99'), node.reboot('172.16.0.9')], '10.0.0.3'],
    ['to BOOTP', [node.bootp()], '10.0.0.3'],
    ['through a relay', [relayed.discover(), relayed.select(), relayed.inform('10.7.0.51')], '10.0.0.4'],
    ['past the relay', [relayed.discover(), relayed.select(), routed.renew('10.0.0.4')], '10.0.0.4'],
    ['and to INFORM from there', [routed.inform('10.7.0.51'), routed.informWithoutAddress('10.7.0.51')], '10.0.0.4'],
  ];
  for (const [what, steps, from] of rows) {
    test(what, async () => {
      const told: Told = new Map();
      for (const step of steps) {
        const heard = await end.ask(step.saying(told));
        assert.equal(heard.length, 1, step.name);
        for (const { packet, from: source } of heard) {
          note(told, step.mac, packet);
          assert.equal(source, `${from}:67`, step.name);
          const named = packet.options.get(54);
          if (named) assert.equal([...named].join('.'), from, step.name);
        }
      }
    });
  }
});
