import assert from 'node:assert/strict';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { withSiteFolder } from './site/testing/folderFixture.ts';
import { followSiteAside } from './siteFollower.ts';

const GOOD = 'site: one\nnetworks:\n  a: { subnet: 10.0.0.0/16 }\n';

/** Follows `folder` while the test runs; `next` waits for the next report. */
async function following(t: TestContext, folder: string) {
  const reports: string[] = [];
  const faults: unknown[] = [];
  const result = await followSiteAside(folder, join(folder, '../state'), {
    onLoaded: ({ name }) => reports.push(`loaded ${name}`),
    onRejected: (findings) => reports.push(`rejected ${findings.length}`),
    faulted: (error) => faults.push(error),
  });
  if (!result.ok) assert.fail(JSON.stringify(result.findings));
  const { followed } = result;
  t.after(() => followed.close());
  const next = async (): Promise<string> => {
    for (const end = performance.now() + 30_000; reports.length === 0; await pause(5))
      assert.ok(performance.now() < end, 'nothing was reported');
    return reports.shift() ?? '';
  };
  return { followed, next, reports, faults };
}

async function edit(folder: string, file: string, text: string): Promise<void> {
  await writeFile(join(folder, 'new'), text);
  await rename(join(folder, 'new'), join(folder, file));
}

/** 5,000 nodes with entries of their own. */
function largeSite(name: string): string {
  const nodes = Array.from({ length: 5000 }, (_, i) => {
    const [high, low] = [i >> 8, i & 255].map((byte) => byte.toString(16).padStart(2, '0'));
    return `  node${i}: { mac: 52:54:00:00:${high}:${low}, ip: 10.0.${(i >> 7) + 1}.${i & 127}, vars: { rack: r${i >> 5} } }\n`;
  });
  return `${GOOD.replace('one', name)}nodes:\n${nodes.join('')}`;
}

/** The most that the thread's processor time grew in one turn of the event loop while `work` went on, in milliseconds. */
async function longestTurn(work: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  let before = process.threadCpuUsage();
  const turn = setInterval(() => {
    const { user, system } = process.threadCpuUsage(before);
    longest = Math.max(longest, (user + system) / 1000);
    before = process.threadCpuUsage();
  }, 1);
  await work();
  clearInterval(turn);
  return longest;
}

describe('following a site in a thread of its own', () => {
  it('takes good edits and keeps the last good site over bad ones', (t) =>
    withSiteFolder({ 'site.yaml': GOOD }, async (folder) => {
      const { followed, next, reports, faults } = await following(t, folder);
      assert.equal(followed.current().name, 'one');
      await edit(folder, 'site.yaml', GOOD.replace('one', 'two'));
      assert.equal(await next(), 'loaded two');
      assert.equal(followed.current().name, 'two');
      await edit(folder, 'site.yaml', 'site: [');
      assert.equal(await next(), 'rejected 1');
      assert.equal(followed.current().name, 'two');
      assert.equal(followed.refused()?.findings.length, 1);
      await edit(folder, 'site.yaml', GOOD.replace('one', 'two'));
      assert.equal(await next(), 'loaded two');
      assert.equal(followed.refused(), undefined);
      assert.deepEqual([reports, faults], [[], []]);
    }));

  it('says what is wrong with a site that it cannot begin with', () =>
    withSiteFolder({ 'site.yaml': 'site: one\n' }, async (folder) => {
      const fail = () => assert.fail('no report is expected');
      const listeners = { onLoaded: fail, onRejected: fail, faulted: fail };
      const result = await followSiteAside(folder, join(folder, '../state'), listeners);
      assert.ok(!result.ok && result.findings[0]?.message.startsWith('the site has no network'));
    }));

  it('keeps the site as it is, nodes and all, where other files change', (t) =>
    withSiteFolder({ 'site.yaml': GOOD, 'overlays/x/etc/motd.j2': 'fine' }, async (folder) => {
      const { followed, next } = await following(t, folder);
      const site = followed.current();
      assert.deepEqual(await followed.badTemplates(), []);
      await edit(folder, 'overlays/x/etc/motd.j2', '{{ wrong');
      assert.equal(await next(), 'loaded one');
      assert.equal(followed.current(), site);
      const early = followed.badTemplates();
      const late = followed.badTemplates();
      assert.deepEqual(await early, [], 'asked anew');
      assert.deepEqual(
        (await late).map(({ place }) => place.file),
        ['overlays/x/etc/motd.j2'],
      );
    }));

  it('goes on with the last good site where the thread ends, and starts another', { timeout: 120_000 }, (t) =>
    withSiteFolder({ 'site.yaml': GOOD }, async (folder) => {
      const threads: Worker[] = [];
      const note = (thread: Worker) => threads.push(thread);
      process.on('worker', note);
      t.after(() => process.off('worker', note));
      const { followed, next, faults } = await following(t, folder);
      const end = async () => threads.at(-1)?.terminate();
      await end();
      assert.equal(followed.current().name, 'one');
      await edit(folder, 'site.yaml', 'site: [');
      assert.equal(await next(), 'rejected 1');
      assert.equal(followed.current().name, 'one');
      assert.equal(faults.length, 1);
      await edit(folder, 'site.yaml', GOOD.replace('one', 'two'));
      assert.equal(await next(), 'loaded two', 'tried anew by a third thread');
      assert.equal(threads.length, 3);
      await edit(folder, 'site.yaml', GOOD.replace('one', 'three'));
      assert.equal(await next(), 'loaded three');
      assert.equal(faults.length, 1);
    }),
  );

  it('holds the event loop up for no more than moments, however large the site', { timeout: 120_000 }, (t) =>
    withSiteFolder({ 'site.yaml': largeSite('one') }, async (folder) => {
      const { followed, next } = await following(t, folder);
      const site = largeSite('two');
      const bad = site.replaceAll(', ip: 10.0.', ', ip: 99.0.');
      // Reading it here takes half a second, and putting it together at once some tens of milliseconds.
      const longest = await longestTurn(async () => {
        await edit(folder, 'site.yaml', site);
        assert.equal(await next(), 'loaded two');
        await edit(folder, 'site.yaml', bad);
        assert.equal(await next(), 'rejected 1001');
      });
      assert.equal(followed.current().nodes.size, 5000);
      assert.match(followed.refused()?.findings.at(-1)?.message ?? '', /^and 4000 more/);
      assert.ok(longest < 100, `${longest} ms of processor in one turn`);
    }),
  );
});
