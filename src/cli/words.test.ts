import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { describe, it } from 'node:test';
import { ReveilleError } from '../errors.ts';
import type { Mac } from '../model/mac.ts';
import { isPlain } from '../plainText.ts';
import { aRoll, aRollNode } from '../roll/testing/fixture.ts';
import type { Boot } from '../timeline/boots.ts';
import type { NodeStatus } from '../timeline/status.ts';
import { diffText } from './diff.ts';
import { leasesText } from './lease.ts';
import { openLineLog, standardOutput } from './lineLog.ts';
import { errorText } from './print.ts';
import { lines, rollText } from './rollText.ts';
import { bootText, nodeNamed, nodesNamed, rackText, refusedText, summaryText } from './status.ts';
import { eventLine } from './watch.ts';

const MAC = '52:54:00:00:00:51' as Mac;
const boot: Boot = {
  startedAt: 0,
  updatedAt: 61_900,
  state: 'failed',
  steps: [
    { at: 0, code: 'ipxe-asks', status: 'done' },
    { at: 61_900, code: 'settings', status: 'failed', ms: 1300, detail: 'exit code 3', output: 'no disk\nbye\n' },
  ],
};
const node: NodeStatus = {
  name: 'node01',
  mac: MAC,
  macs: [MAC],
  ip: '10.0.0.51',
  lease: null,
  state: 'failed',
  image: 'bookworm',
  profiles: ['compute'],
  entry: null,
  boot,
  files: null,
};
const status = { site: 'rack', bootUrl: null, nodes: [node], strangers: [], refused: null };

describe('words on screen', () => {
  it('status is a table that lines up', () => {
    assert.deepEqual(rackText(status).split('\n'), [
      'NODE    ADDRESS    MAC                IMAGE     STATE   FILES  TOOK       LAST STEP',
      'node01  10.0.0.51  52:54:00:00:00:51  bookworm  failed  -      1 min 2 s  settings failed: exit code 3',
    ]);
  });

  it('an edit that was refused stands below the table, with what is served instead', () => {
    const refused = {
      at: Date.now(),
      servingSince: new Date(2026, 10, 30, 17, 10, 5).getTime(),
      findings: [
        { place: { file: 'site.yaml', line: 11, col: 3 }, message: 'unknown key "gatway"' },
        { place: { file: 'site.yaml', line: 12, col: 3 }, message: 'another' },
      ],
    };
    assert.deepEqual(
      rackText({ ...status, refused })
        .split('\n')
        .slice(-2),
      [
        'site.yaml:11:3 is refused: unknown key "gatway" (and 1 more); serving the version of 17:10:05',
        '  reveille check names all that is wrong',
      ],
    );
    assert.equal(refusedText(null), undefined);
  });

  it('leases stand in a table, with the time that is left', () => {
    const lease = {
      ip: '10.0.0.51',
      mac: MAC,
      network: 'rack',
      state: 'bound',
      start: 0,
      expires: 65_000,
      node: 'node01',
      pool: null,
    } as const;
    assert.deepEqual(
      leasesText([lease, { ...lease, ip: '10.0.0.200', node: null, hostname: 'fresh', expires: 0 }], 0).split('\n'),
      [
        'ADDRESS     MAC                WHO     NETWORK  STATE  FOR',
        '10.0.0.51   52:54:00:00:00:51  node01  rack     bound  1 min 5 s',
        '10.0.0.200  52:54:00:00:00:51  fresh   rack     bound  over',
      ],
    );
  });

  it('a summary names the nodes of each state in ranges', () => {
    const names = ['node01', 'node02', 'node03', 'store'];
    const nodes = names.map((name): NodeStatus => ({ ...node, name, state: name === 'node03' ? 'failed' : 'ready' }));
    assert.deepEqual(summaryText({ ...status, nodes }).split('\n'), [
      'STATE   COUNT  NODES',
      'ready   3      node[01-02],store',
      'failed  1      node03',
    ]);
  });

  it('a node`s boot lists its steps with their times, and what a failing one printed', () => {
    assert.deepEqual(bootText(node).split('\n'), [
      'node01  failed',
      '  AT               STEP       TOOK',
      '  +0.0 s   ok      iPXE asks',
      '  +61.9 s  failed  settings   1.3 s  exit code 3',
      '',
      '  what settings printed last:',
      '    no disk',
      '    bye',
    ]);
  });

  it('an unknown node is an error with a hint', () => {
    assert.throws(() => nodeNamed(status, 'node02'), { code: 'NODE_UNKNOWN', hint: 'did you mean "node01"?' });
  });

  it('nodes are named by set, profile, MAC and address too', () => {
    for (const text of ['node[01]', 'node*', '@compute', '52-54-00-00-00-51', '10.0.0.51,node01'])
      assert.deepEqual(nodesNamed(status, text), [node], text);
  });

  it('a line of watch names the machine and the event', () => {
    const line = eventLine({ at: 0, kind: 'dhcp.discover', stage: 'os', mac: MAC, node: 'node01' });
    assert.match(line, /^\d\d:\d\d:\d\d\.\d{3} {2}node01 {11} {2}DHCP DISCOVER \(os\)$/);
  });

  it('an error says where, what and what to do', () => {
    const error = new ReveilleError('SITE_INVALID', 'unknown key', {
      place: { file: 'site.yaml', line: 3, col: 5 },
      hint: 'did you mean mac?',
    });
    assert.equal(errorText(error), 'site.yaml:3:5: unknown key\n  did you mean mac? [SITE_INVALID]');
  });
});

describe('the log', () => {
  it('writes the lines of one turn at once', async () => {
    const writes: string[] = [];
    const log = openLineLog({ waiting: 0, write: (text) => writes.push(text) > 0 });
    log.write(() => 'a');
    log.write(() => 'b');
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    assert.deepEqual(writes, ['a\nb\n']);
  });

  it('counts what it leaves out while its reader is too slow, and keeps nothing of it', async () => {
    const log = openLineLog({ waiting: 2_000_000, write: () => assert.fail('nothing is written') });
    let asked = 0;
    for (let i = 0; i < 1000; i++) log.write(() => `${asked++}`);
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    assert.equal(asked, 0);
  });

  it('counts what its disk does not take, and says so once it does', () => {
    let full = true;
    const writes: string[] = [];
    const log = openLineLog({ waiting: 0, write: (text) => !full && writes.push(text) > 0 });
    for (const line of ['a', 'b']) log.write(() => line);
    log.flush();
    full = false;
    log.write(() => 'c');
    log.flush();
    assert.deepEqual(writes, ['(2 lines left out: this log takes them too slowly, or not at all)\nc\n']);
  });

  it('outlives its reader', async () => {
    const pipe = Object.assign(
      new Writable({ write: (_chunk, _encoding, done) => done(Object.assign(new Error('gone'), { code: 'EPIPE' })) }),
      { fd: 0 },
    );
    const out = standardOutput(pipe);
    out.write('a');
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(out.write('b'), false);
  });
});

describe('what others have written', () => {
  const hostile = 'a\u001b[2J\u009b31m\u202eb\u001b]0;title\u0007\r\u2028c';
  const isSafe = (text: string) => assert.ok(text.split('\n').every(isPlain), JSON.stringify(text));

  it('moves no cursor in a diff: names, contents and commands', async () => {
    const form = { kind: 'file', mode: '0644', owner: hostile, group: 'root', text: `x\n${hostile}\n` } as const;
    const changes = [
      { path: hostile, change: 'added', after: form, contentDiffers: true },
      { path: '/b', change: 'changed', before: { ...form, text: 'x\ny\n' }, after: form, contentDiffers: true },
    ] as const;
    isSafe(await diffText({ changes, hooks: [hostile] }));
  });

  it('moves none in a roll, whatever its cloud answers', (context) => {
    const roll = aRoll([], {
      nodes: [aRollNode('node01', { phase: 'failed', note: { code: 'cloud-unknown', message: hostile } })],
      note: { code: 'earlier', words: hostile },
    });
    isSafe(rollText(roll, 0));
    const log = context.mock.method(console, 'log', () => {});
    lines()(roll);
    assert.equal(log.mock.callCount(), 2);
    for (const {
      arguments: [line],
    } of log.mock.calls)
      isSafe(String(line));
  });

  it('moves none in an error that was not foreseen', () => {
    isSafe(errorText(new Error(hostile)));
    isSafe(errorText(hostile));
  });
});
