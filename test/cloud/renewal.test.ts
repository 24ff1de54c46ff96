import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { it } from 'node:test';
import type { Instance } from '../../src/lab/cloud/instances.ts';
import type { Roll } from '../../src/roll/record.ts';
import { imageOfBoot } from '../../src/timeline/boots.ts';
import { noteText } from '../../src/words/roll.ts';
import { openStory } from './story.rig.ts';

const SITE = join(import.meta.dirname, '../../examples/cloud');
const NODE02 = 'node02: { mac: 52:54:00:00:00:52, ip: 10.0.0.52, profiles: [compute] }';
const WRONG = `${NODE02.slice(0, -2)}, vars: { nova: { transport_url: 'rabbit://openstack:wrong@controller' } } }`;

it('two machines without disks become a cloud, and are renewed under a running instance', async (t) => {
  const { cloud, site, reveille, edit, node, until, inService, alive, livesOn } = await openStory(
    t,
    SITE,
    async (site) => {
      // The image of tomorrow: the same but for one file.
      const recipe = await readFile(join(site, 'images/bookworm-nova.yaml'), 'utf8');
      await writeFile(join(site, 'images/bookworm-nova-next.yaml'), `${recipe}  - /usr/share/doc-base\n`);
      const file = join(site, 'site.yaml');
      const text = await readFile(file, 'utf8');
      assert(text.includes(NODE02));
      // A third node that is never switched on brings the next image onto the shelf.
      const third = 'node03: { mac: 52:54:00:00:00:53, ip: 10.0.0.53, profiles: [compute], image: bookworm-nova-next }';
      await writeFile(file, `${text.replace(NODE02, WRONG).trimEnd()}\n  ${third}\n`);
    },
  );
  const { rack, operator } = cloud;
  const roll = async () => (JSON.parse((await reveille('roll', 'status', '--json')).text) as { roll: Roll }).roll;
  const phaseOf = async (name: string) => (await roll()).nodes.find((one) => one.node === name)?.phase;
  const imageOf = async (name: string) => imageOfBoot((await node(name)).boot ?? { steps: [] });
  const since = (started: number) => `${((Date.now() - started) / 1000).toFixed(0)} s`;

  await t.test('the first node comes into service', async (t) => {
    const began = Date.now();
    await Promise.all([rack.boot('node01'), rack.boot('node02')]);
    await inService('node01');
    t.diagnostic(`node01 is in service ${since(began)} after it was switched on`);
  });

  await t.test('of the one whose password is wrong, why says so', async (t) => {
    const text = await until('an explanation', 'node02', async () => {
      const { text } = await reveille('why', 'node02', '--site', site);
      return /password/.test(text) ? text : undefined;
    });
    t.diagnostic(text.trim());
    assert.match(text, /nova-compute.*message queue/s);
  });

  await t.test('with the right password it comes into service, without another boot', async () => {
    await edit('site.yaml', WRONG, NODE02);
    await until('the new files', 'node02', async () => {
      const { code } = await reveille('sync', 'node02');
      return code === 0 ? true : undefined;
    });
    await inService('node02');
  });

  let one: Instance = { id: '', name: '', status: '' };
  let two = one;
  await t.test('the scheduler places two instances, and they reach each other', async (t) => {
    await operator.run('resources', { image: 'bookworm-nova', peers: [1, 2] });
    one = await operator.run('launch', { number: 1 });
    two = await operator.run('launch', { number: 2, host: one.host === 'node01' ? 'node02' : 'node01' });
    t.diagnostic(`${one.name} runs on ${one.host}, ${two.name} on ${two.host}`);
    for (const [instance, peer] of [
      [one, '2'],
      [two, '1'],
    ] as const) {
      const said = await until(`${instance.name} reaches ${peer}`, instance.host ?? '', async () => {
        const said = await alive(instance.id);
        return said?.reaches === peer ? said : undefined;
      });
      t.diagnostic(`the console of ${instance.name}: alive for ${said.seconds} s, reaches: ${said.reaches}`);
    }
  });

  let before = 0;
  let images: readonly (string | undefined)[] = [];
  await t.test('a roll renews both nodes, and the instances live on', async (t) => {
    before = (await alive(one.id))?.seconds ?? Number.NaN;
    const began = Date.now();
    images = [await imageOf('node01'), await imageOf('node02')];
    await edit('site.yaml', 'image: bookworm-nova\n', 'image: bookworm-nova-next\n');
    const plan = await until('the plan', 'node01', async () => {
      const { text } = await reveille('roll', 'node[01-02]', '--drifted', '--dry-run');
      return /is rebooted/.test(text) ? text : undefined;
    });
    t.diagnostic(plan.trim());
    const { code, text } = await reveille('roll', 'node[01-02]', '--drifted', '--policy', 'stop-roll');
    t.diagnostic(text.trim());
    assert.equal(code, 0, text);
    t.diagnostic(`two nodes renewed in ${since(began)}`);
    for (const [i, name] of ['node01', 'node02'].entries()) {
      await inService(name);
      assert.notEqual(await imageOf(name), images[i], `${name} runs the new image`);
    }
  });

  await t.test('with the time they have lived intact', async (t) => {
    for (const instance of [one, two]) {
      const now = await livesOn(instance);
      t.diagnostic(`${now.name} on ${now.host}: alive for ${now.seconds} s (${before} s before)`);
      assert.equal(now.status, 'ACTIVE');
      assert(now.seconds > before, `it lived ${before} s before, and ${now.seconds} s after`);
    }
  });

  await t.test('a node that is killed in the middle of a roll stops it, and nothing is lost', async (t) => {
    const rolling = reveille('roll', 'rollback', '--boot-time', '90s', '--policy', 'stop-roll');
    await until('the reboot', 'node01', async () => ((await phaseOf('node01')) === 'booting' ? true : undefined));
    await rack.powerOff('node01');
    const { code, text } = await rolling;
    t.diagnostic(text.trim());
    assert.equal(code, 1);
    const stopped = await roll();
    assert.deepEqual([stopped.state, stopped.nodes.map(({ phase }) => phase)], ['stopped', ['failed', 'left']]);
    for (const instance of [one, two]) {
      const now = await livesOn(instance);
      t.diagnostic(`${now.name} on ${now.host}: alive for ${now.seconds} s`);
      assert.deepEqual([now.status, now.host], ['ACTIVE', 'node02']);
      assert(now.seconds > before);
    }
  });

  await t.test('switched on again, it is brought back by resuming the roll', async (t) => {
    await rack.boot('node01');
    await inService('node01');
    const { text } = await reveille('roll', 'resume', '--boot-time', '20m', '--json');
    const resumed = JSON.parse(text) as Roll;
    t.diagnostic(
      `${resumed.state}: ${resumed.nodes.map(({ node, phase, note }) => `${node} ${phase} ${noteText(note)}`).join('; ')}`,
    );
    assert.deepEqual([resumed.state, resumed.nodes.map(({ phase }) => phase)], ['done', ['done', 'done']]);
    assert.deepEqual([await imageOf('node01'), await imageOf('node02')], images);
    for (const instance of [one, two]) {
      const now = await livesOn(instance);
      t.diagnostic(`${now.name} on ${now.host}: alive for ${now.seconds} s`);
      assert(now.seconds > before);
    }
  });
});
