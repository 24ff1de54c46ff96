import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as after } from 'node:timers/promises';
import { isHostOf } from '../cloud/inService.ts';
import { ReveilleError } from '../errors.ts';
import type { Happening } from '../model/event.ts';
import type { SiteNode } from '../model/node.ts';
import { type Order, Orders } from '../node/orders.ts';
import { IPMI_BMC as BMC } from '../site/testing/bmcFixture.ts';
import { nodeFixture, siteFixture } from '../site/testing/fixture.ts';
import { openStore } from '../state/store.ts';
import { brokenStore, emptyStore, rollsInMemory } from '../state/testing/fakes.ts';
import { type Boot, imageOfBoot } from '../timeline/boots.ts';
import { createAct } from './act.ts';
import { createLook } from './look.ts';
import { rollsForOperators } from './operators.ts';
import { imageOf, imagesOfRolls } from './pins.ts';
import type { Roll } from './record.ts';
import type { RollStore } from './rollStore.ts';
import { Rolls } from './run.ts';
import { type FakeServer, type FakeService, fakeCloud } from './testing/cloudFixture.ts';
import { aRoll, NEW_IMAGE, OLD_IMAGE } from './testing/fixture.ts';

const WISH = {
  nodes: 'node0[1-2]',
  drifted: false,
  maxUnavailable: 1,
  failures: 0,
  policy: 'cold',
  bootMs: 1_200_000,
} as const;

/** A server over a real store and a cloud over HTTP; its nodes reboot when they are ordered to, into what they are pinned to. */
async function rack(t: TestContext, servers: FakeServer[], compute = true, bmc?: SiteNode['bmc']) {
  const folder = mkdtempSync(join(tmpdir(), 'roll-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const names = ['node01', 'node02'];
  const nodes = names.map((name) =>
    nodeFixture({ name, services: compute ? ['nova-compute'] : [], ...(bmc && { bmc }) }),
  );
  const site = siteFixture({
    nodes: new Map(nodes.map((node) => [node.name, node])),
    ...(compute ? { cloud: {} } : {}),
  });
  const services: FakeService[] = names.map((host) => ({ host, enabled: true, reason: null, updatedAt: 1000 }));
  const cloud = await fakeCloud(services, servers);
  t.after(() => cloud.close());
  let skipped = 0;
  /** Time passes much quicker than turns do. */
  const now = () => Date.now() + skipped;
  const booted = (image: string, startedAt: number): Boot => ({
    startedAt,
    updatedAt: startedAt,
    state: 'ready',
    steps: [{ at: startedAt, code: 'kernel', status: 'done', image }],
  });
  const boots = new Map(names.map((name) => [name, booted(OLD_IMAGE, 1)]));
  const built = (sha256: string) => ({ name: 'bookworm', sha256 }) as never;
  const shelf = { current: async () => built(NEW_IMAGE), byHash: async (sha256: string) => built(sha256) };
  const rebooted: string[] = [];
  const events: Happening[] = [];
  const world = { comesBack: (_node: string) => true };
  /** What its BMC does to a node, beside starting it. */
  const cycles: { done: string[]; failure?: ReveilleError } = { done: [] };

  const serve = async () => {
    const opened = await openStore(folder);
    const store = opened.rolls;
    const orders = new Orders();
    const rolls = await Rolls.open(store, (event) => events.push(event), now);
    const closing = new AbortController();
    const bootsWhat = imageOf(shelf, (node) => rolls.pins.get(node));
    const boot = async (name: string): Promise<void> => {
      skipped += 60_000;
      const image = await bootsWhat({ name, image: 'bookworm' });
      boots.set(name, booted(image?.sha256 ?? '', now()));
      skipped += 60_000;
      for (const service of services) if (service.host === name) service.updatedAt = now();
    };
    const powerCycle = async (name: string): Promise<void> => {
      cycles.done.push(name);
      if (cycles.failure) throw cycles.failure;
      await boot(name);
    };
    const agent = async (name: string): Promise<void> => {
      while (!closing.signal.aborted) {
        const order: Order | undefined = await orders.next(name, 60, closing.signal);
        if (order?.what !== 'reboot') continue;
        rebooted.push(name);
        assert.ok(!servers.some(({ host }) => isHostOf(host, name)), 'no instance is on it');
        if (!world.comesBack(name)) return;
        await boot(name);
      }
    };
    const agents = names.map(agent);
    const look = createLook({
      site: () => site,
      newestBoot: (node) => boots.get(node),
      isWaiting: (node) => orders.isWaiting(node),
      filesOf: () => undefined,
      withCloud: (use) => use(cloud.session),
      now,
    });
    const running = rolls.run(
      look,
      createAct((use) => use(cloud.session), orders, powerCycle),
      1,
    );
    const passing = setInterval(() => (skipped += 5000), 2);
    const stop = async () => {
      clearInterval(passing);
      await running[Symbol.asyncDispose]();
      closing.abort();
      await Promise.all(agents);
      await opened.close();
    };
    return { store, rolls, stop, operators: rollsForOperators({ rolls, site: () => site, shelf, look, now }) };
  };
  return { cloud, services, servers, serve, rebooted, events, boots, world, cycles };
}

async function ended(rolls: { list(): readonly Roll[] }): Promise<Roll> {
  for (let i = 0; i < 3000; i++) {
    const roll = rolls.list().at(-1);
    if (roll && roll.endedAt !== null) return roll;
    await after(5);
  }
  throw new Error(`it does not end: ${JSON.stringify(rolls.list())}`);
}

test('two nodes are renewed one after the other, their instances moved live or cold, and taken back', async (t) => {
  const { cloud, services, serve, rebooted, boots, events } = await rack(t, [
    { id: 'runs', host: 'node01', status: 'ACTIVE' },
    { id: 'stands', host: 'node01', status: 'SHUTOFF' },
  ]);
  const { operators, rolls, store, stop } = await serve();
  t.after(stop);
  const dry = await operators.begin(WISH, true);
  assert.deepEqual(
    dry.nodes.map(({ note }) => note),
    [
      { code: 'would-reboot', instances: { live: 1, others: 1, policy: 'cold' } },
      { code: 'would-reboot', instances: { live: 0, others: 0, policy: 'cold' } },
    ],
  );
  assert.deepEqual([rolls.list(), cloud.calls], [[], []], 'nothing was begun');

  const { id } = await operators.begin(WISH, false);
  await assert.rejects(operators.begin({ ...WISH, nodes: 'node02' }, false), {
    code: 'REQUEST_INVALID',
    message: `node02 is part of the roll ${id}, which is under way`,
  });
  const roll = await ended(rolls);
  assert.deepEqual(
    [roll.state, roll.nodes.map(({ phase }) => phase)],
    ['done', ['done', 'done']],
    JSON.stringify(roll),
  );
  assert.deepEqual(rebooted, ['node01', 'node02']);
  assert.deepEqual(cloud.calls.slice(0, 4), [
    `PUT /os-services/node01 {"status":"disabled","disabled_reason":"reveille roll ${id}: renewing the node"}`,
    'POST /servers/runs/action {"os-migrateLive":{"host":null,"block_migration":"auto"}}',
    'POST /servers/stands/action {"migrate":null}',
    'POST /servers/stands/action {"confirmResize":null}',
  ]);
  assert.equal(cloud.calls[4], 'PUT /os-services/node01 {"status":"enabled"}');
  assert.ok(services.every(({ enabled }) => enabled));
  assert.deepEqual(await store.pins(), new Map());
  assert.ok(events.some((event) => event.kind === 'roll.step' && event.node === 'node02' && event.phase === 'joining'));

  // Run again, there is nothing to do.
  await operators.begin(WISH, false);
  assert.deepEqual(
    (await ended(rolls)).nodes.map(({ phase }) => phase),
    ['skipped', 'skipped'],
  );
  await assert.rejects(operators.begin({ ...WISH, drifted: true }, false), { message: 'no node has drifted' });

  await operators.rollback(id, {});
  const back = await ended(rolls);
  assert.deepEqual([back.takesBack, back.state, rebooted.length], [id, 'done', 4]);
  for (const boot of boots.values()) assert.equal(imageOfBoot(boot), OLD_IMAGE);
  assert.deepEqual([...(await store.pins()).values()], [OLD_IMAGE, OLD_IMAGE]);
  assert.deepEqual(await imagesOfRolls(store), new Set([OLD_IMAGE, NEW_IMAGE]));
});

test('a server that is killed in the middle goes on; a cloud that does not answer is waited for', async (t) => {
  const { cloud, serve, rebooted, services } = await rack(t, [{ id: 'runs', host: 'node01', status: 'ACTIVE' }]);
  const first = await serve();
  cloud.down = true;
  await assert.doesNotReject(first.operators.begin(WISH, false));
  while (first.rolls.list()[0]?.nodes[0]?.note?.code !== 'cloud-unknown') await after(5);
  cloud.down = false;
  while (rebooted.length === 0) await after(1);
  await first.stop();

  const second = await serve();
  t.after(second.stop);
  const roll = await ended(second.rolls);
  assert.deepEqual(
    [roll.state, roll.nodes.map(({ phase }) => phase)],
    ['done', ['done', 'done']],
    JSON.stringify(roll),
  );
  assert.deepEqual(rebooted, ['node01', 'node02'], 'each once');
  assert.ok(services.every(({ enabled }) => enabled));
});

test('a node that does not come back stops the roll; resumed once it is back, the rest follows', async (t) => {
  const { serve, services, world, boots, rebooted } = await rack(t, []);
  world.comesBack = (node) => node !== 'node01';
  const { operators, rolls, stop } = await serve();
  t.after(stop);
  const { id } = await operators.begin(WISH, false);
  const stopped = await ended(rolls);
  assert.equal(stopped.state, 'stopped');
  assert.deepEqual(stopped.note, { code: 'too-many-failed', failed: 1, allowed: 0 });
  assert.deepEqual(
    stopped.nodes.map(({ note }) => note),
    [
      {
        code: 'failed',
        phase: 'rebooting',
        why: {
          code: 'late',
          limitMs: 600_000,
          note: { code: 'not-rebooted', why: 'order-lost', bmc: { state: 'none' } },
        },
        staysDisabled: true,
      },
      { code: 'not-begun' },
    ],
  );
  assert.deepEqual(
    services.map(({ enabled }) => enabled),
    [false, true],
  );

  // An operator switches it off and on.
  const at = Date.now() + 1e9;
  boots.set('node01', {
    startedAt: at,
    updatedAt: at,
    state: 'ready',
    steps: [{ at, code: 'kernel', status: 'done', image: NEW_IMAGE }],
  });
  for (const service of services) service.updatedAt = at;
  await operators.resume(id, { failures: 1 });
  const roll = await ended(rolls);
  assert.deepEqual([roll.failures, roll.maxUnavailable], [1, stopped.maxUnavailable]);
  assert.deepEqual(
    [roll.state, roll.nodes.map(({ phase }) => phase)],
    ['done', ['done', 'done']],
    JSON.stringify(roll),
  );
  assert.deepEqual(rebooted, ['node01', 'node02']);
  assert.ok(services.every(({ enabled }) => enabled));
});

test('a refusal of the cloud is reported in its words; aborted, a node not yet rebooted goes back into service', async (t) => {
  const { cloud, serve, services, rebooted } = await rack(t, [{ id: 'runs', host: 'node01', status: 'ACTIVE' }]);
  cloud.refuse = (call) => (call.includes('os-migrateLive') ? [409, 'no host would have it'] : undefined);
  const { operators, rolls, stop } = await serve();
  t.after(stop);
  await operators.begin({ ...WISH, policy: 'wait' }, false);
  while (rolls.list()[0]?.nodes[0]?.note?.code !== 'stuck') await after(5);
  const note = rolls.list()[0]?.nodes[0]?.note;
  assert(note?.code === 'stuck');
  const { kind, tries, refused } = note.stuck.tried ?? {};
  assert.deepEqual([kind, tries], ['live', 3]);
  assert.match(refused ?? '', /no host would have it \(HTTP 409\)$/);
  await operators.abort('newest');
  const roll = await ended(rolls);
  assert.deepEqual([roll.state, roll.nodes.map(({ phase }) => phase)], ['aborted', ['left', 'left']]);
  assert.deepEqual(rebooted, []);
  assert.ok(services.every(({ enabled }) => enabled));
});

test('a node is not rebooted while an instance is on its way to it, nor held up by moves that ended', async (t) => {
  const { cloud, serve, rebooted } = await rack(t, []);
  cloud.migrations.push({ hosts: ['node09', 'node01'], status: 'running' }, { hosts: ['node01'], status: 'completed' });
  const { operators, rolls, stop } = await serve();
  t.after(stop);
  await operators.begin(WISH, false);
  while (rolls.list()[0]?.nodes[0]?.note?.code !== 'moves-unended') await after(5);
  assert.deepEqual(rebooted, []);
  cloud.migrations.length = 0;
  assert.equal((await ended(rolls)).state, 'done');
  assert.deepEqual(rebooted, ['node01', 'node02']);
});

test('nodes of no cloud are rebooted alone', async (t) => {
  const { cloud, serve, rebooted } = await rack(t, [], false);
  const { operators, rolls, stop } = await serve();
  t.after(stop);
  await operators.begin({ ...WISH, policy: 'wait' }, false);
  assert.equal((await ended(rolls)).state, 'done');
  assert.deepEqual([rebooted, cloud.calls], [['node01', 'node02'], []]);
});

test('what could not be kept is not done; the pin is there before the order to reboot, once the disk is back', async (t) => {
  const { serve, rebooted, boots, events } = await rack(t, [], false);
  const { operators, rolls, store, stop } = await serve();
  t.after(stop);
  const save = store.save.bind(store);
  let full = 3;
  store.save = async (roll, pins, forgotten) => {
    if (pins.size > 0 && full-- > 0) throw new ReveilleError('STATE_UNAVAILABLE', 'the disk is full');
    return save(roll, pins, forgotten);
  };
  await operators.begin({ ...WISH, image: 'other' }, false);
  assert.equal((await ended(rolls)).state, 'done');
  assert.equal(full, -3, 'the pins were kept in three steps, after the three that failed');
  assert.deepEqual(rebooted, ['node01', 'node02']);
  for (const boot of boots.values()) assert.equal(imageOfBoot(boot), NEW_IMAGE);
  const troubles = events.filter(({ kind }) => kind === 'server.trouble');
  assert.deepEqual(troubles, [{ kind: 'server.trouble', code: 'STATE_UNAVAILABLE', message: 'the disk is full' }]);
});

test('of two servers over one state, one decides each change, and the other goes on from there', async () => {
  const shared = { rolls: new Map(), pins: new Map() };
  const [one, other] = [
    await Rolls.open(rollsInMemory(shared), () => {}, Date.now),
    await Rolls.open(rollsInMemory(shared), () => {}, Date.now),
  ];
  const first = await one.begin(aRoll(['node01'], { id: 'r', begunAt: 1 }));
  // The same name, decided at the same moment: the second has another, and not the first one's nodes.
  await assert.rejects(other.begin(aRoll(['node01'], { id: 'r', begunAt: 1 })), { code: 'REQUEST_INVALID' });
  assert.deepEqual(other.list(), [first]);
  const second = await other.begin(aRoll(['node02'], { id: 'r', begunAt: 2 }));
  assert.equal(second.id, 'r-2');
  const stopped = await other.abort('r');
  const third = await one.begin(aRoll(['node03'], { id: 'r-2', begunAt: 3 }));
  assert.equal(third.id, 'r-2-2');
  assert.deepEqual(one.list(), [stopped, second, third]);
});

test('a state that fails as another server’s change is read is read before the next change', async () => {
  const shared = { rolls: new Map(), pins: new Map() };
  const store = rollsInMemory(shared);
  let fails = false;
  const failing: RollStore = { ...store, pins: () => (fails ? brokenStore().rolls.pins() : store.pins()) };
  const one = await Rolls.open(failing, () => {}, Date.now);
  const other = await Rolls.open(rollsInMemory(shared), () => {}, Date.now);
  const roll = await one.begin(aRoll(['node01', 'node02'], { id: 'r' }));
  await assert.rejects(other.begin(roll), { code: 'REQUEST_INVALID' });
  await other.abort('r');
  fails = true;
  await assert.rejects(one.abort('r'), { code: 'STATE_UNAVAILABLE' });
  await assert.rejects(one.abort('r'), { code: 'STATE_UNAVAILABLE' });
  fails = false;
  assert.deepEqual(one.named('r').state, 'running');
  await one.abort('r').catch(() => {});
  assert.deepEqual(one.list(), other.list());
});

test('a server stops at once, though the cloud keeps it waiting', async () => {
  const rolls = await Rolls.open(emptyStore().rolls, () => {}, Date.now);
  await rolls.begin(aRoll(['node01']));
  const looking = Promise.withResolvers<void>();
  const look = () => {
    looking.resolve();
    return new Promise<never>(() => {});
  };
  const running = rolls.run(look, async () => undefined);
  await looking.promise;
  await running[Symbol.asyncDispose]();
});

test('old rolls are forgotten as new ones begin, and none that is under way', async () => {
  const old = aRoll(['node00'], { id: 'old', begunAt: 1 });
  const store = emptyStore().rolls;
  await store.save(old, new Map(), []);
  for (let at = 10; at < 70; at++) {
    await store.save(aRoll(['node01'], { id: `r${at}`, begunAt: at, state: 'done', endedAt: at }), new Map(), []);
  }
  const rolls = await Rolls.open(store, () => {}, Date.now);
  await rolls.begin(aRoll(['node02'], { id: 'new', begunAt: 100 }));
  const kept = await store.rolls();
  assert.deepEqual([kept.length, kept[0]?.id, kept[1]?.id, kept.at(-1)?.id], [52, 'old', 'r20', 'new']);
  assert.deepEqual(rolls.list(), kept);
});

test('a node that its agent does not reboot is power cycled by its BMC, and the record shows it', async (t) => {
  const { serve, world, rebooted, cycles, events } = await rack(t, [], true, BMC);
  world.comesBack = (node) => node !== 'node01';
  const { operators, rolls, stop } = await serve();
  t.after(stop);
  await operators.begin(WISH, false);
  const roll = await ended(rolls);
  assert.deepEqual(
    roll.nodes.map(({ note, orders }) => [note, orders]),
    [
      [{ code: 'renewed', cycled: true }, 2],
      [{ code: 'renewed', cycled: false }, 1],
    ],
    JSON.stringify(roll),
  );
  assert.deepEqual([cycles.done, rebooted], [['node01'], ['node01', 'node02']]);
  const booting = events.find((event) => event.kind === 'roll.step' && event.phase === 'booting');
  assert(booting?.kind === 'roll.step' && booting.note?.code === 'boots' && booting.note.cycled);
});

test('a BMC that takes no password is asked once, and the node fails with its words', async (t) => {
  const { serve, world, cycles } = await rack(t, [], false, BMC);
  world.comesBack = () => false;
  cycles.failure = new ReveilleError('BMC_LOGIN_REFUSED', 'the BMC 10.1.0.51 does not let admin in');
  const { operators, rolls, stop } = await serve();
  t.after(stop);
  await operators.begin(WISH, false);
  const roll = await ended(rolls);
  const note = roll.nodes[0]?.note;
  assert(note?.code === 'failed' && note.phase === 'rebooting' && note.why.code === 'late');
  const last = note.why.note;
  const refused = last?.code === 'not-rebooted' && last.bmc.state === 'refused' ? last.bmc : last;
  assert(refused && 'message' in refused && refused.message === 'the BMC 10.1.0.51 does not let admin in');
  assert.deepEqual(cycles.done, ['node01']);
});
