import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { diagnose } from '../../src/timeline/diagnose.ts';
import { type ContainerCloud, type ContainerNode, openContainers } from './containers.rig.ts';

// A real controller and real services, each node with one mistake: what `reveille why` says of it.

type Mistake = ContainerNode & {
  /** Each has to match the diagnosis. */
  readonly says: readonly RegExp[];
};

const PASSWORD = '{{ secrets.rabbit }}';
const queue = (password: string, at = 'controller') => ({ transport_url: `rabbit://openstack:${password}@${at}` });
/** Fewer services start sooner. */
const ALONE = { services: ['libvirtd', 'nova-compute'] };
const FAKETIME = await readFile('/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1');

const MISTAKES: Readonly<Record<string, Mistake>> = {
  'queue-password': {
    site: { ...ALONE, vars: { nova: queue('wrong') } },
    says: [/nova-compute is refused by the message queue: a wrong user name or password/, /authenticate_user/],
  },
  'queue-gone': {
    site: { ...ALONE, vars: { nova: queue(PASSWORD, '10.0.0.99') } },
    says: [/nova-compute cannot reach the message queue: there is no way there/],
  },
  'placement-password': {
    site: { ...ALONE, vars: { nova: { placement_password: 'wrong' } } },
    says: [/nova-compute is refused by Keystone \(401\)/],
  },
  'other-name': {
    site: { ...ALONE, vars: { nova: { extra: { DEFAULT: { host: 'localhost' } } } } },
    says: [/a nova-compute registered as localhost since this boot began, not as other-name/, /service delete/],
  },
  provider: {
    site: ALONE,
    says: [/another resource provider/],
  },
  libvirtd: {
    site: { services: ['nova-compute'] },
    files: Object.fromEntries(
      ['libvirtd.service', 'libvirtd.socket'].map((unit) => [`etc/systemd/system/${unit}`, '']),
    ),
    says: [/nova-compute cannot talk to libvirt/],
  },
  agent: {
    site: { vars: { neutron: queue('wrong') } },
    says: [/Neutron knows no neutron-linuxbridge-agent/, /neutron-linuxbridge-agent is refused by the message queue/],
  },
  clock: {
    site: ALONE,
    files: {
      'usr/lib/libfaketime.so.1': FAKETIME,
      'etc/systemd/system.conf.d/clock.conf':
        '[Manager]\nDefaultEnvironment=LD_PRELOAD=/usr/lib/libfaketime.so.1 FAKETIME=-2h FAKETIME_DONT_FAKE_MONOTONIC=1\n',
    },
    says: [/Its clock is 2 h 0 min behind the server's/],
  },
};

test('each mistake is told in words, with what to do', { timeout: 240_000 }, async (t) => {
  const cloud = await openContainers({ right: {}, ...MISTAKES });
  t.after(() => cloud.close());
  // Nobody maps hosts to cells while the scheduler stands still.
  await cloud.rack.exec(['pkill', '-STOP', '-f', 'nova-scheduler']);
  await cloud.call('placement', '/resource_providers', {
    method: 'POST',
    microversion: '1.14',
    body: { name: 'provider' },
  });
  for (const name of ['right', ...Object.keys(MISTAKES)]) await cloud.wake(name);

  await heard(cloud, 'right', [/not mapped to a cell/, /discover_hosts/]);
  await cloud.rack.exec(['pkill', '-CONT', '-f', 'nova-scheduler']);
  await heard(cloud, 'right', [/right is ready and in service/]);
  for (const [name, { says }] of Object.entries(MISTAKES)) {
    await t.test(name, () => heard(cloud, name, says));
  }
});

const PATIENCE_MS = 150_000;

/** Waits until the diagnosis of a node says all of it. */
async function heard({ status }: ContainerCloud, name: string, says: readonly RegExp[]): Promise<void> {
  for (const deadline = Date.now() + PATIENCE_MS; ; await sleep(1000)) {
    const node = (await status()).nodes.find((one) => one.name === name);
    assert.ok(node);
    const { summary, advice } = diagnose(node, true, Date.now());
    const text = [summary, ...advice].join('\n');
    if (says.every((words) => words.test(text))) return;
    assert.ok(Date.now() < deadline, `${name} is not explained:\n${text}`);
  }
}
