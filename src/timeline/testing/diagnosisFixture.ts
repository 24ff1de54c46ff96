import type { BootStep } from '../../model/bootStep.ts';
import type { Mac } from '../../model/mac.ts';
import type { Boot } from '../boots.ts';
import type { HeldLease } from '../heldLease.ts';
import type { NodeStatus } from '../status.ts';

const MAC = '52:54:00:00:00:51' as Mac;
const at = { at: 0, status: 'done' } as const;
const address: BootStep = { ...at, code: 'address' };
const initrd: BootStep = { ...at, code: 'initrd' };
const agent: BootStep = { ...at, code: 'agent' };
const root: BootStep = { ...at, code: 'root' };
const NOVA = { at: 0, code: 'service', subject: 'nova-compute' } as const;

/** A node with an image of which this much is known. */
export function aNode(boot: Partial<Boot> | null, more: Partial<NodeStatus> = {}): NodeStatus {
  return {
    name: 'node01',
    mac: MAC,
    macs: [MAC],
    ip: '10.0.0.51',
    lease: null,
    state: boot?.state ?? 'booting',
    image: 'bookworm',
    profiles: [],
    files: null,
    entry: null,
    boot: boot && { startedAt: 0, updatedAt: 1000, state: 'booting', steps: [], ...boot },
    ...more,
  };
}

const held = (ip: string, pool: string | null = null): HeldLease => ({ ip, network: 'rack', pool, expires: 3_200_000 });

/** The time of the diagnosis; the last events of the boots are of 1000. */
export const NOW = 200_000;

/** Nodes in every state, and whether their image is built. */
export const CASES = {
  'an address only': [aNode(null, { image: null }), false],
  'an address only, that it has': [aNode(null, { image: null, lease: held('10.0.0.51') }), false],
  'an address and no boot': [aNode(null, { lease: held('10.0.0.51') }), true],
  'an address of a pool instead of its own': [
    aNode(null, { lease: held('10.0.0.200', '10.0.0.200-10.0.0.220') }),
    true,
  ],
  'image not built': [aNode(null), false],
  'sent a menu entry': [aNode({}, { image: null, entry: 'nova', state: 'loaded' }), false],
  "sent to a boot file of the operator's": [aNode({}, { image: null, bootFile: 'pxelinux.0', state: 'loaded' }), false],
  'never seen with one': [aNode(null, { image: null, bootFile: 'pxelinux.0' }), false],
  'never seen': [aNode(null), true],
  ready: [aNode({ state: 'ready' }), true],
  'ready and in service': [
    aNode({
      state: 'ready',
      steps: [{ ...at, code: 'in-service', standing: { standing: 'in-service', node: 'node01', enabled: true } }],
    }),
    true,
  ],
  'settings.sh failed': [
    aNode({
      state: 'failed',
      steps: [{ at: 0, code: 'settings', status: 'failed', detail: 'exit code 3', output: 'no disk\n' }],
    }),
    true,
  ],
  'a service failed, and so the boot was not ready': [
    aNode({
      state: 'failed',
      steps: [
        { at: 0, code: 'bundle', status: 'failed' },
        { at: 0, code: 'bundle', status: 'done' },
        {
          ...NOVA,
          status: 'failed',
          detail: 'nova-compute did not start',
          output: '(0, 0): (403) ACCESS_REFUSED - Login was refused using authentication mechanism AMQPLAIN.',
        },
        { at: 0, code: 'settings', status: 'failed', detail: 'exit code 3' },
        { at: 0, code: 'ready', status: 'failed', detail: '2 of the steps failed' },
      ],
    }),
    true,
  ],
  'a second DHCP server': [aNode({ steps: [{ ...at, code: 'other-server' }] }), true],
  'silent after it asked': [aNode({ steps: [{ ...at, code: 'firmware-asks' }] }), true],
  'silent after its address': [aNode({ steps: [address] }), true],
  'silent after its loader': [aNode({ steps: [address, { ...at, code: 'loader' }] }), true],
  'silent after its script': [aNode({ steps: [address, { ...at, code: 'script' }] }), true],
  'silent after its initrd': [aNode({ steps: [address, initrd] }), true],
  'silent while its root comes': [aNode({ steps: [initrd, root] }), true],
  'the queue refuses the password while nova-compute starts': [
    aNode({
      steps: [
        { ...at, code: 'service', subject: 'libvirtd' },
        {
          ...NOVA,
          status: 'running',
          detail: 'still starting after 45 s',
          output:
            'ERROR nova amqp.exceptions.AccessRefused: (0, 0): (403) ACCESS_REFUSED - Login was refused using authentication mechanism AMQPLAIN.',
        },
      ],
    }),
    true,
  ],
  'settings.sh goes on for minutes': [
    aNode({
      steps: [
        agent,
        {
          at: 0,
          code: 'settings',
          status: 'running',
          detail: 'still running after 120 s: settings.sh',
          output: 'looking for the RAID card',
        },
      ],
    }),
    true,
  ],
  'a service that failed and reported why': [
    aNode({
      state: 'failed',
      steps: [
        {
          ...NOVA,
          status: 'failed',
          output: "ERROR nova.virt.libvirt.host [-] Connection to libvirt failed: Failed to connect socket to 'x'",
        },
      ],
    }),
    true,
  ],
  'ready, not in service, and its agent reports why': [
    aNode({
      state: 'ready',
      steps: [
        {
          ...at,
          code: 'service',
          subject: 'neutron-linuxbridge-agent',
          output: 'ERROR x.y [-] Interface eth1 for physical network physnet1 does not exist. Agent terminated!',
        },
        {
          at: 0,
          status: 'running',
          code: 'in-service',
          standing: { standing: 'network-agent', node: 'node01', agent: 'neutron-linuxbridge-agent' },
        },
      ],
    }),
    true,
  ],
  'a clock that is off': [aNode({ state: 'ready', clockAheadMs: -180_000 }), true],
  'silent in the agent': [aNode({ steps: [initrd, agent] }), true],
  'ready, with files that are behind and changed': [
    aNode(
      { state: 'ready' },
      {
        files: {
          at: 0,
          state: 'behind',
          applied: 'a',
          current: 'b',
          failed: 'hook: x',
          drifted: 4,
          drift: ['/a', '/b', '/c', '/d'].map((path) => ({ path, change: 'changed' })),
        } as unknown as NonNullable<NodeStatus['files']>,
      },
    ),
    true,
  ],
} as const satisfies { readonly [name: string]: readonly [NodeStatus, boolean] };
