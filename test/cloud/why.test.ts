import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { diagnose } from '../../src/timeline/diagnose.ts';
import { diagnosisText } from '../../src/words/diagnosis.ts';
import { type ContainerCloud, type ContainerNode, openContainers } from './containers.rig.ts';

// A real controller and real services, each node with one mistake: what `reveille why` says of it.

type Mistake = ContainerNode & {
  /** Each has to match the diagnosis. */
  readonly says: readonly RegExp[];
};

const PASSWORD = '{{ secrets.rabbit }}';
const queue = (password: string, at = 'controller') => ({ transport_url: `rabbit://openstack:${password}@${at}` });
/** Fewer services start sooner. */
const ALONE = { profiles: ['alone'] };
const LIBVIRT = [
  'libvirtd.service',
  'libvirtd.socket',
  'libvirtd-ro.socket',
  'libvirtd-admin.socket',
  'libvirtd-tcp.socket',
];
const CLOCK = `[Service]
Environment=LD_PRELOAD=/usr/lib/libfaketime.so.1 FAKETIME=-2h FAKETIME_DONT_FAKE_MONOTONIC=1
`;

const MISTAKES: Readonly<Record<string, Mistake>> = {
  'queue-password': {
    site: { ...ALONE, vars: { nova: queue('wrong') } },
    says: [/nova-compute is refused by the message queue: a wrong user name or password/, /authenticate_user/],
  },
  'queue-gone': {
    site: { ...ALONE, vars: { nova: queue(PASSWORD, '10.0.0.99') } },
    says: [/nova-compute cannot reach the message queue: no machine answers at that address/],
  },
  'placement-password': {
    site: { ...ALONE, vars: { nova: { placement_password: 'wrong' } } },
    says: [/nova-compute is refused by Keystone \(401\): .* under \[placement\]/, /token issue/],
  },
  region: {
    site: { ...ALONE, vars: { openstack: { region: 'Elsewhere' } } },
    says: [/nova-compute finds no endpoint of placement in the region Elsewhere/],
  },
  'other-name': {
    site: { ...ALONE, vars: { nova: { extra: { DEFAULT: { host: 'rack7-old' } } } } },
    says: [/a nova-compute registered as rack7-old since this boot began, not as other-name/, /service delete/],
  },
  provider: {
    site: ALONE,
    says: [/Placement has the name provider for another resource provider/, /cannot make its resource provider/],
  },
  libvirtd: {
    site: ALONE,
    files: Object.fromEntries(LIBVIRT.map((unit) => [`etc/systemd/system/${unit}`, ''])),
    says: [/The step service libvirtd failed/, /libvirtd.service is masked/],
  },
  agent: {
    site: { vars: { neutron: queue('wrong') } },
    says: [
      /Neutron knows no neutron-linuxbridge-agent on agent/,
      /neutron-linuxbridge-agent is refused by the message queue/,
    ],
  },
  clock: {
    site: ALONE,
    files: {
      'usr/lib/libfaketime.so.1': await readFile('/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1'),
      'etc/systemd/system/reveille-agent.service.d/clock.conf': CLOCK,
      'etc/systemd/system/reveille-refresh.service.d/clock.conf': CLOCK,
    },
    says: [/clock is ready and in service/, /Its clock is 120 min .* behind the server's/],
  },
};

test('each mistake is named, with what to do', { timeout: 600_000 }, async (t) => {
  const cloud = await openContainers({ right: {}, ...MISTAKES });
  t.after(() => cloud.close());
  // Nobody maps hosts to cells while the scheduler stands still.
  await cloud.rack.exec(['pkill', '-STOP', '-f', 'nova-scheduler']);
  const taken = { method: 'POST', microversion: '1.14', body: { name: 'provider' } } as const;
  await cloud.call('placement', '/resource_providers', taken);
  const right = await cloud.wake('right');
  for (const name of Object.keys(MISTAKES)) await cloud.wake(name);

  await t.test('no cell', () => heard(cloud, 'right', [/right reports, and has no hypervisor yet/, /discover_hosts/]));
  await cloud.rack.exec(['pkill', '-CONT', '-f', 'nova-scheduler']);
  await t.test('no mistake', () => heard(cloud, 'right', [/right is ready and in service/]));
  await right.run(`systemctl mask --runtime --now ${LIBVIRT.join(' ')} 2>&1`);
  for (const [name, { says }] of Object.entries(MISTAKES)) await t.test(name, () => heard(cloud, name, says));
  await cloud.mend('placement-password');
  await t.test('mended', () => heard(cloud, 'placement-password', [/placement-password is ready and in service/]));
  const lost = [/nova-compute on right has disabled itself: Connection to libvirt lost/, /cannot talk to libvirt/];
  await t.test('libvirt lost', () => heard(cloud, 'right', lost));
});

const PATIENCE_MS = 180_000;

/** Waits until the diagnosis of a node says all of it. */
async function heard({ status }: ContainerCloud, name: string, says: readonly RegExp[]): Promise<void> {
  for (const deadline = Date.now() + PATIENCE_MS; ; await sleep(1000)) {
    const node = (await status()).nodes.find((one) => one.name === name);
    assert.ok(node);
    const { summary, advice } = diagnosisText(diagnose(node, true, Date.now()));
    const text = [summary, ...advice].join('\n');
    if (says.every((words) => words.test(text))) return;
    assert.ok(Date.now() < deadline, `${name} is not explained:\n${text}`);
  }
}
