import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Mac } from '../model/mac.ts';
import type { Boot, BootStep } from './boots.ts';
import { diagnose } from './diagnose.ts';
import type { HeldLease } from './heldLease.ts';
import type { NodeStatus } from './status.ts';

const step = (name: string, more: Partial<BootStep> = {}): BootStep => ({ at: 0, name, status: 'done', ...more });
const node = (boot: Partial<Boot> | null, more: Partial<NodeStatus> = {}): NodeStatus => ({
  name: 'node01',
  mac: '52:54:00:00:00:51' as Mac,
  macs: ['52:54:00:00:00:51' as Mac],
  ip: '10.0.0.51',
  lease: null,
  state: boot?.state ?? 'booting',
  image: 'bookworm',
  profiles: [],
  files: null,
  entry: null,
  boot: boot && { startedAt: 0, updatedAt: 1000, state: 'booting', steps: [], ...boot },
  ...more,
});

const held = (ip: string, pool: string | null = null): HeldLease => ({ ip, network: 'rack', pool, expires: 3_200_000 });

describe('why a node is not ready', () => {
  const rows: [string, NodeStatus, boolean, RegExp, RegExp | undefined][] = [
    ['an address only', node(null, { image: null }), false, /never told to boot/, /^It has no address now\.$/],
    [
      'an address only, that it has',
      node(null, { image: null, lease: held('10.0.0.51') }),
      false,
      /never told to boot/,
      /^It has 10\.0\.0\.51 of network rack for 50 min 0 s yet\.$/m,
    ],
    [
      'an address and no boot',
      node(null, { lease: held('10.0.0.51') }),
      true,
      /has its address and has not asked to boot/,
      /boot from the network card/,
    ],
    [
      'an address of a pool instead of its own',
      node(null, { lease: held('10.0.0.200', '10.0.0.200-10.0.0.220') }),
      true,
      /10\.0\.0\.200 of network rack \(pool 10\.0\.0\.200-10\.0\.0\.220\)/,
      /keeps 10\.0\.0\.51 for it/,
    ],
    ['image not built', node(null), false, /has not been built/, /image build bookworm/],
    [
      'sent a menu entry',
      node({}, { image: null, entry: 'nova', state: 'loaded' }),
      false,
      /sent all of the menu entry nova/,
      /console/,
    ],
    [
      "sent to a boot file of the operator's",
      node({}, { image: null, bootFile: 'pxelinux.0', state: 'loaded' }),
      false,
      /was sent to pxelinux\.0, /,
      /console/,
    ],
    ['never seen with one', node(null, { image: null, bootFile: 'pxelinux.0' }), false, /No boot request/, /portfast/],
    ['never seen', node(null), true, /No boot request from 52:54/, /portfast/],
    ['ready', node({ state: 'ready' }), true, /is ready; its boot took 1\.0 s/, undefined],
    [
      'settings.sh failed',
      node({
        state: 'failed',
        steps: [step('settings', { status: 'failed', detail: 'exit code 3', output: 'no disk\n' })],
      }),
      true,
      /step settings failed on node01: exit code 3/,
      / {2}no disk/,
    ],
    [
      'a service failed, and so the boot was not ready',
      node({
        state: 'failed',
        steps: [
          step('bundle', { status: 'failed' }),
          step('bundle'),
          step('service nova-compute', {
            status: 'failed',
            detail: 'nova-compute did not start',
            output: '(0, 0): (403) ACCESS_REFUSED - Login was refused using authentication mechanism AMQPLAIN.',
          }),
          step('settings', { status: 'failed', detail: 'exit code 3' }),
          step('ready', { status: 'failed', detail: '2 of the steps failed' }),
        ],
      }),
      true,
      /step service nova-compute failed on node01: nova-compute did not start\.$/,
      /nova-compute is refused by the message queue[\s\S]*The step settings failed: exit code 3\./,
    ],
    [
      'a second DHCP server',
      node({ steps: [step('another DHCP server answered')] }),
      true,
      /another DHCP server/,
      /second DHCP server/,
    ],
    ['silent after its address', node({ steps: [step('address')] }), true, /"address"/, /firewall/],
    ['silent after its initrd', node({ steps: [step('address'), step('initrd')] }), true, /"initrd"/, /RAM/],
    ['silent while its root comes', node({ steps: [step('initrd'), step('root')] }), true, /"root"/, /reveille\.debug/],
    [
      'the queue refuses the password while nova-compute starts',
      node({
        steps: [
          step('service libvirtd'),
          step('service nova-compute', {
            status: 'running',
            detail: 'still starting after 45 s',
            output:
              'ERROR nova amqp.exceptions.AccessRefused: (0, 0): (403) ACCESS_REFUSED - Login was refused using authentication mechanism AMQPLAIN.',
          }),
        ],
      }),
      true,
      /service nova-compute goes on: still starting after 45 s/,
      /nova-compute is refused by the message queue[\s\S]*rabbitmqctl[\s\S]*ACCESS_REFUSED/,
    ],
    [
      'settings.sh goes on for minutes',
      node({
        steps: [
          step('agent'),
          step('settings', {
            status: 'running',
            detail: 'still running after 120 s: settings.sh',
            output: 'looking for the RAID card',
          }),
        ],
      }),
      true,
      /the step settings goes on: still running after 120 s: settings\.sh/,
      /looking for the RAID card/,
    ],
    [
      'a service that failed and told why',
      node({
        state: 'failed',
        steps: [
          step('service nova-compute', {
            status: 'failed',
            output: "ERROR nova.virt.libvirt.host [-] Connection to libvirt failed: Failed to connect socket to 'x'",
          }),
        ],
      }),
      true,
      /service nova-compute failed/,
      /cannot talk to libvirt[\s\S]*journalctl -u libvirtd/,
    ],
    [
      'ready, not in service, and its agent tells why',
      node({
        state: 'ready',
        steps: [
          step('service neutron-linuxbridge-agent', {
            output: 'ERROR x.y [-] Interface eth1 for physical network physnet1 does not exist. Agent terminated!',
          }),
          step('in service', { status: 'running', detail: 'Neutron knows no agent on node01', hint: 'see the log' }),
        ],
      }),
      true,
      /not in service: Neutron knows no agent/,
      /^neutron-linuxbridge-agent finds no interface eth1/,
    ],
    [
      'a clock that is off',
      node({ state: 'ready', clockAheadMs: -180_000 }),
      true,
      /is ready/,
      /Its clock is 3 min 0 s behind the server's/,
    ],
    ['silent in the agent', node({ steps: [step('initrd'), step('agent')] }), true, /"agent"/, /journalctl/],
  ];
  for (const [name, status, built, summary, advice] of rows) {
    it(name, () => {
      const diagnosis = diagnose(status, built, 200_000);
      assert.match(diagnosis.summary, summary);
      if (advice) assert.match(diagnosis.advice.join('\n'), advice);
      else assert.deepEqual(diagnosis.advice, []);
    });
  }

  it('does not worry about a boot that is getting on', () => {
    assert.deepEqual(diagnose(node({ steps: [step('address')] }), true, 5000).advice, []);
  });
});
