import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import type { DatagramPort, DatagramReceiver, Datagrams } from '../net/datagramPort.ts';
import { newPacket, sendOneByOne } from '../net/portablePorts.ts';
import { admissionLimits } from './limits.ts';
import { Listener } from './listener.ts';
import { encodeAck, encodeRequest } from './packet.ts';
import { Replies } from './replies.ts';
import { Reports } from './reports.ts';
import { Requests } from './requests.ts';
import type { TftpOptions } from './server.ts';
import { FILES, ip, LOCAL, onStage, type Stage, until } from './testing/fixture.ts';

const BROKEN = 'disk on fire';

/** The transfer that ran before goes on, and the next client is served. */
async function othersAreServed({ client }: Stage, during: () => Promise<void>): Promise<void> {
  const before = await client();
  before.ask('big');
  const first = await before.next();
  await during();
  before.send(encodeAck(1), first.port);
  const second = await before.next();
  assert.ok(second.packet.kind === 'data' && second.packet.block === 2);
  const next = await client();
  next.ask('small');
  assert.deepEqual(await next.fetch(), FILES.small);
}

test('whatever throws in what the server was given, the others go on', async () => {
  let broken = false;
  const unlessBroken = (): void => {
    if (broken) throw new Error(BROKEN);
  };
  const rows: [string, Partial<TftpOptions>][] = [
    [
      'a source that throws at once',
      {
        source: (name) => {
          unlessBroken();
          return Promise.resolve({ role: 'file', kind: 'bytes', bytes: FILES[name] ?? Buffer.alloc(0) });
        },
      },
    ],
    [
      'a source that rejects with what is no error',
      {
        source: async (name) => {
          if (broken) throw undefined;
          return { role: 'file', kind: 'bytes', bytes: FILES[name] ?? Buffer.alloc(0) };
        },
      },
    ],
    ['an event sink that throws', { events: unlessBroken }],
    [
      'a look-up of known clients that throws',
      {
        isKnown: () => {
          unlessBroken();
          return false;
        },
      },
    ],
    [
      'addresses that throw',
      {
        addresses: () => {
          unlessBroken();
          return [LOCAL];
        },
      },
    ],
  ];
  for (const [what, more] of rows) {
    const faults: unknown[] = [];
    const play = async (stage: Stage): Promise<void> => {
      await othersAreServed(stage, async () => {
        broken = true;
        const one = await stage.client();
        one.ask('absent');
        one.send(Buffer.from([9, 9, 9, 9]));
        one.ask('small', [], 'wrq');
        await stage.server.reload();
        await one.next().catch(() => {});
        broken = false;
      });
      if (more.source === undefined) assert.ok(String(faults[0]).includes(BROKEN), what);
    };
    await onStage({}, play, { ...more, faulted: (error) => faults.push(error) });
  }
});

test('without a place for faults they become events', () =>
  onStage(
    {},
    async ({ client, events }) => {
      const one = await client();
      one.ask('small');
      await until(() => events.length > 0);
      const [fault] = events;
      assert.ok(fault?.kind === 'server.fault' && fault.message === BROKEN && fault.stack !== undefined);
    },
    {
      isKnown: () => {
        throw new Error(BROKEN);
      },
    },
  ));

test('a source that finds no descriptor leaves the request without an answer', () => {
  let left = false;
  return onStage(
    {},
    async ({ client, events, server }) => {
      const one = await client();
      for (const code of ['EMFILE', 'ENFILE', 'ENOMEM']) one.ask(code);
      await until(() => events.length > 0);
      await one.silent(100);
      assert.ok(events.length === 1 && events[0]?.kind === 'server.trouble' && events[0].code === 'TFTP_DESCRIPTORS');
      assert.equal(server.gauges().transfers, 0);
      left = true;
      one.ask('EMFILE');
      assert.equal((await one.fetch()).toString(), 'x');
    },
    {
      source: async (code) => {
        if (!left) throw Object.assign(new Error(`${code}: too many open files`), { code });
        return { role: 'file', kind: 'bytes', bytes: Buffer.from('x') };
      },
    },
  );
});

/** A listener on a port that is none: `say` has a datagram come, what is sent is what `accepts` makes of it. */
async function listenerOn(accepts: (packet: Uint8Array) => boolean, faults: unknown[]) {
  let receiver: DatagramReceiver | undefined;
  const port: DatagramPort = {
    send: (packet) => void accepts(packet),
    sendBlocks: (blocks, first, last, _to, refused) => sendOneByOne(accepts, newPacket(), blocks, first, last, refused),
    close: async () => {},
  };
  const datagrams: Datagrams = {
    open: async (_options, to) => {
      receiver = to;
      return port;
    },
    map: () => undefined,
    close: () => {},
  };
  const events: string[] = [];
  const limits = admissionLimits({ maxTransfers: 10, maxTransfersPerClient: 10 });
  const reports = new Reports(({ kind }) => events.push(kind));
  const replies = new Replies(() => 'neighbour');
  const faulted = (error: unknown) => faults.push(error);
  const requests = new Requests({
    source: async (name) => (name === 'small' ? { role: 'file', kind: 'bytes', bytes: Buffer.from('x') } : undefined),
    limits: () => limits,
    isKnown: () => false,
    mtu: 1500,
    files: { take: async () => undefined },
    replies,
    reports,
    faulted,
  });
  const listener = await Listener.open(LOCAL, 69, {
    datagrams,
    requests,
    reports,
    singlePort: () => true,
    isOwn: ({ ip, port: from }) => ip === LOCAL && from === 69,
    mayAnswer: ({ ip }) => replies.take(ip, false, performance.now()),
    faulted,
  });
  const say = (bytes: unknown, port = 2000, address = '10.0.0.9') =>
    receiver?.onDatagram({ ip: ip(address), port, head: 0, bytes: bytes as Uint8Array });
  return { listener, say, fail: (error: Error) => receiver?.onTrouble(error), events };
}

const SMALL = encodeRequest('rrq', 'small', 'octet', []);
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

test('a datagram that the codec throws at, and an error of the socket, cost no other packet anything', async () => {
  const sent: number[] = [];
  const faults: unknown[] = [];
  const { listener, say, fail, events } = await listenerOn((bytes) => sent.push(bytes[1] ?? 0) > 0, faults);
  say(undefined);
  say(null);
  assert.equal(faults.length, 2);
  fail(Object.assign(new Error('recvmsg EBADF'), { code: 'EBADF' }));
  assert.deepEqual(events, ['server.trouble']);
  say(SMALL);
  await settled();
  assert.deepEqual(sent, [3]);
  await listener.close('enough');
});

test('sends that are refused or throw cost their own request alone', async () => {
  for (const how of ['EPERM', 'throws']) {
    let broken = true;
    const sent: number[] = [];
    const faults: unknown[] = [];
    const { listener, say } = await listenerOn((bytes) => {
      if (broken && how === 'throws') throw new Error('EBADF');
      return !broken && sent.push(bytes[1] ?? 0) > 0;
    }, faults);
    say(SMALL, 2001);
    say(encodeRequest('rrq', 'absent', 'octet', []), 2002);
    say(encodeRequest('wrq', 'small', 'octet', []), 2003);
    say(encodeAck(1), 2004);
    await settled();
    broken = false;
    say(SMALL, 2005);
    await settled();
    assert.deepEqual(sent, [3], how);
    assert.equal(faults.length > 0, how === 'throws', how);
    await listener.close('enough');
  }
});

test('what cannot be answered, and what claims to come from this server itself, is malformed and gets nothing', async () => {
  let sent = 0;
  const faults: unknown[] = [];
  const { listener, say, events } = await listenerOn(() => ++sent > 0, faults);
  for (const bytes of [SMALL, encodeAck(0), encodeRequest('wrq', 'x', 'octet', []), Buffer.from([0, 3, 0, 1, 7])]) {
    say(bytes, 0);
    say(bytes, 2000, '0.0.0.0');
    say(bytes, 2000, '255.255.255.255');
    say(bytes, 2000, '224.0.0.1');
    say(bytes, 69, '127.0.0.1');
  }
  await settled();
  assert.equal(sent, 0);
  assert.deepEqual(events, ['packets.malformed'], 'once a minute');
  assert.deepEqual(faults, []);
  await listener.close('enough');
});

test('no answer is ever given to an ERROR, so that two servers cannot answer each other for ever', async () => {
  let sent = 0;
  const { listener, say } = await listenerOn((bytes) => {
    sent++;
    // The other server answers whatever it gets with an ERROR.
    assert.ok(bytes.length > 0);
    setImmediate(() => say(Buffer.from('\0\x05\0\x05unknown transfer\0'), 69, '10.0.0.3'));
    return true;
  }, []);
  for (const bytes of [encodeAck(1), SMALL, encodeRequest('rrq', 'absent', 'octet', [])]) {
    say(bytes, 69, '10.0.0.3');
    await settled();
  }
  assert.equal(sent, 3);
  await listener.close('enough');
});

/** Runs `script` with a server in a process that may hold few descriptors; resolves to its exit code. */
async function withFewDescriptors(script: string): Promise<{ code: number; output: string }> {
  const program = `
    import { openSync, closeSync, readdirSync, readlinkSync } from 'node:fs';
    import { onStage, until, FILES, LOCAL } from '${import.meta.dirname}/testing/fixture.ts';
    import { encodeAck } from '${import.meta.dirname}/packet.ts';
    import assert from 'node:assert/strict';
    const held = [];
    const exhaust = () => { for (;;) try { held.push(openSync('/dev/null')); } catch (error) { assert.equal(error.code, 'EMFILE'); return; } };
    const release = () => { for (const fd of held.splice(0)) closeSync(fd); };
    ${script}`;
  const child = spawn(
    'sh',
    ['-c', 'ulimit -n 80; exec "$@"', 'sh', process.execPath, '--input-type=module', '-e', program],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
  const [code] = await once(child, 'close');
  return { code, output };
}

test('a process without a free descriptor leaves requests without an answer, goes on with transfers, and recovers', async () => {
  const { code, output } = await withFewDescriptors(`
    await onStage({}, async ({ client, events }) => {
      const [running, late] = [await client(), await client()];
      running.ask('self');
      let packet = await running.next();
      for (let i = 0; i < 3; i++) { running.send(encodeAck(packet.packet.block), packet.port); packet = await running.next(); }
      exhaust();
      for (const file of ['self', 'small']) late.ask(file);
      await until(() => events.length > 0);
      await late.silent(300);
      assert.deepEqual(events.map(({ code }) => code), ['TFTP_DESCRIPTORS']);
      const { block } = packet.packet;
      running.send(encodeAck(block), packet.port);
      // Retransmissions of the block may come before.
      while (packet.packet.block !== block + 1) packet = await running.next();
      release();
      late.ask('small');
      assert.deepEqual(await late.fetch(), FILES.small);
    }, { source: async (name) => name === 'self' ? { role: 'file', kind: 'file', path: '${import.meta.filename}' } : { role: 'file', kind: 'bytes', bytes: FILES[name] } });
  `);
  assert.equal(code, 0, output);
});

test('a descriptor that is closed under a transfer costs that transfer alone', async () => {
  const { code, output } = await withFewDescriptors(`
    const sockets = () => readdirSync('/proc/self/fd').filter((fd) => { try { return readlinkSync('/proc/self/fd/' + fd).startsWith('socket:'); } catch { return false; } });
    await onStage({}, async ({ client }) => {
      const [one, other, next] = [await client(), await client(), await client()];
      other.ask('big');
      const running = await other.next();
      const before = new Set(sockets());
      one.ask('big');
      const hit = await one.next();
      const [fd] = sockets().filter((fd) => !before.has(fd));
      closeSync(Number(fd));
      one.send(encodeAck(1), hit.port);
      other.send(encodeAck(1), running.port);
      assert.equal((await other.next()).packet.block, 2);
      next.ask('small');
      assert.deepEqual(await next.fetch(), FILES.small);
    });
  `);
  assert.equal(code, 0, output);
});
