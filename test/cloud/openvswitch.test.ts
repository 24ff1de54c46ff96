import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { it } from 'node:test';
import type { OpenRack } from '../../src/lab/open.ts';
import { openStory } from './story.rig.ts';

const SITE = join(import.meta.dirname, '../../examples/cloud');
const LINUX_BRIDGES = 'profiles: [compute] }';
/** The example's other profile, and the second card in a bridge to the outside. */
const OPEN_VSWITCH =
  'profiles: [compute-ovs], vars: { neutron: { provider_networks: { external: second }, bridges: { external: br-ex } } } }';

it('nodes with Open vSwitch come into service, and instances on two of them reach each other by VXLAN', async (t) => {
  const { cloud, inService, until, alive } = await openStory(t, SITE, async (site) => {
    const file = join(site, 'site.yaml');
    const text = await readFile(file, 'utf8');
    assert.equal(text.split(LINUX_BRIDGES).length, 3);
    await writeFile(file, text.replaceAll(LINUX_BRIDGES, OPEN_VSWITCH));
  });
  const { rack, operator } = cloud;

  await t.test('both come into service with that agent', async () => {
    await Promise.all([rack.boot('node01'), rack.boot('node02')]);
    await inService('node01');
    await inService('node02');
  });

  const tunnels = watchTunnels(rack);
  await t.test('an instance on each reaches the other', async (t) => {
    await operator.run('resources', { image: 'bookworm-nova-ovs', peers: [1, 2] });
    const instances = await Promise.all([
      operator.run('launch', { number: 1, host: 'node01' }),
      operator.run('launch', { number: 2, host: 'node02' }),
    ]);
    assert.deepEqual(
      instances.map(({ host }) => host),
      ['node01', 'node02'],
    );
    for (const [i, { id, name, host = '' }] of instances.entries()) {
      const peer = String(2 - i);
      const said = await until(`${name} reaches ${peer}`, host, async () => {
        const said = await alive(id);
        return said?.reaches === peer ? said : undefined;
      });
      t.diagnostic(`${name} on ${host}: alive for ${said.seconds} s, reaches: ${said.reaches}`);
    }
  });

  await t.test('through tunnels in both directions', () => {
    assert.deepEqual([...tunnels].sort(), ['10.0.0.51 > 10.0.0.52', '10.0.0.52 > 10.0.0.51']);
  });
});

/** Watches VXLAN on the wire of the rack: who sent to whom. It ends with the rack. */
function watchTunnels(rack: OpenRack): ReadonlySet<string> {
  const seen = new Set<string>();
  const capture = rack.spawn(['tcpdump', '-i', 'br0', '-nn', '-l', 'udp port 4789'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let rest = '';
  capture.stdout?.setEncoding('utf8').on('data', (text: string) => {
    const lines = `${rest}${text}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const [, from, to] = / IP ([\d.]+)\.\d+ > ([\d.]+)\.4789: VXLAN/.exec(line) ?? [];
      if (from !== undefined && to !== undefined) seen.add(`${from} > ${to}`);
    }
  });
  return seen;
}
