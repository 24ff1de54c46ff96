import { mac } from '../../site/testing/fixture.ts';
import type { Facts } from '../inventory.ts';

type Nic = Facts['nics'][number];

/** A card whose MAC ends in `last`, with a cable. */
export function card(name: string, last: string, more: Partial<Nic> = {}): Nic {
  return { name, mac: mac(`52:54:00:00:00:${last}`), boot: false, up: true, ...more };
}

function machine(...nics: readonly Nic[]): Facts {
  return { system: {}, cpu: {}, nics, disks: [] };
}

export const ONE_CARD = machine(card('eth0', '51', { boot: true }));
export const TWO_CARDS = machine(card('eth0', '51', { boot: true }), card('eth1', '52'));
/** Booted from the third by name; the first has no cable. */
export const SIX_CARDS = machine(
  card('eno1', 'a1', { up: false }),
  card('eno2', 'a2'),
  card('ens1f0', '51', { boot: true }),
  card('ens1f1', 'a4'),
  card('ens2f0', 'a5'),
  card('ens2f1', 'a6'),
);

/** First card main, second for the bridge. */
export const SIMPLE_NET = { main: { address: 'static' }, bridge: { name: 'br-ex' } };
/** All that `vars.net` can say, for six cards. */
export const FULL_NET = {
  main: { address: 'static', mtu: 1500 },
  bonds: { bond0: { on: [4, 'ens2f0'], mode: '802.3ad', mtu: 9000 } },
  bridge: { on: 'bond0' },
  vlans: {
    storage: { id: 120, on: 'bond0', subnet: '10.1.20.0/24', mtu: 9000 },
    mgmt: { id: 5, address: ['10.2.0.51/16', '10.3.0.51/16'] },
  },
  nics: {
    backup: {
      on: '52:54:00:00:00:a6',
      address: '10.9.0.51/24',
      routes: [{ to: '10.10.0.0/16', via: '10.9.0.1' }],
    },
  },
};
