import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { serverTroubleText } from '../words/trouble.ts';
import { encodeAck, encodeError, encodeRequest } from './packet.ts';
import { startTftpServer } from './server.ts';
import { type Client, FILES, ip, LIMITS, LOCAL, onStage, until } from './testing/fixture.ts';

for (const singlePort of [false, true]) {
  const mode = singlePort ? 'through one port' : 'each on its own port';
  test(`files arrive whole, ${mode}`, () =>
    onStage({ singlePort }, async ({ client, port, events }) => {
      const one = await client();
      one.ask('small');
      const first = await one.next();
      assert.equal(first.port === port, singlePort);
      assert.ok(first.packet.kind === 'data' && first.packet.block === 1);
      one.send(encodeAck(1), first.port);
      await until(() => events.length === 1);
      const [sent] = events;
      assert.ok(sent?.kind === 'tftp.sent' && sent.file === 'small' && sent.bytes === 13 && sent.ip === LOCAL);

      const several = await Promise.all([client(), client(), client()]);
      for (const each of several)
        each.ask('//big', [
          { name: 'BLKSIZE', value: '1400' },
          { name: 'windowsize', value: '1' },
        ]);
      for (const got of await Promise.all(several.map((each) => each.fetch(1400)))) {
        assert.ok(got.equals(FILES.big ?? Buffer.alloc(0)));
      }
    }));
}

test('what is refused, and with which error', () =>
  onStage({}, async ({ client, events, server }) => {
    const one = await client();
    one.ask('absent');
    assert.deepEqual(await one.error(), { code: 1, message: 'file not found' });
    one.ask('../etc/passwd');
    assert.equal((await one.error()).code, 2);
    one.ask('small', [], 'wrq');
    const refused = await one.error();
    assert.equal(refused.code, 2);
    assert.match(refused.message, /read-only/);
    one.ask('small', [], 'rrq', 'mail');
    assert.equal((await one.error()).code, 4);
    one.send(encodeAck(7));
    assert.equal((await one.error()).code, 5);
    one.send(encodeError(0, 'whatever'));
    await one.silent(50);
    assert.deepEqual(
      events.map(({ kind }) => kind),
      ['tftp.missing', 'tftp.failed', 'tftp.failed', 'tftp.failed'],
    );
    assert.equal(server.gauges().transfers, 0);
  }));

test('a source that fails becomes an event, and the server goes on', () =>
  onStage(
    {},
    async ({ client, events }) => {
      const one = await client();
      one.ask('broken');
      assert.equal((await one.error()).code, 0);
      assert.ok(events[0]?.kind === 'tftp.failed' && events[0].reason === 'disk on fire');
      one.ask('fine');
      assert.equal((await one.fetch()).toString(), 'x');
    },
    {
      source: async (name) => {
        if (name === 'broken') throw new Error('disk on fire');
        return { role: 'file', kind: 'bytes', bytes: Buffer.from('x') };
      },
    },
  ));

test('malformed packets are reported once a minute, the first at once', () =>
  onStage({}, async ({ client, events, server }) => {
    const one = await client();
    for (let i = 0; i < 20; i++) one.send(Buffer.from([9, 9, 9, 9]));
    await until(() => events.length > 0);
    one.ask('small');
    await one.fetch();
    await until(() => events.length === 2);
    assert.ok(events[0]?.kind === 'packets.malformed' && events[0].count === 1);
    assert.match(events[0].sample, /opcode 2313, from 127\.0\.0\.1/);
    await server.close();
    assert.ok(events[2]?.kind === 'packets.malformed' && events[2].count === 19);
  }));

test('a repeated request is answered by the same packet and starts no second transfer; another one replaces the first', () =>
  onStage({}, async ({ client, events, server }) => {
    const one = await client();
    one.ask('big');
    const first = await one.next();
    await one.silent(1200);
    one.ask('big');
    assert.deepEqual(await one.next(), first);
    assert.equal(server.gauges().transfers, 1);
    one.ask('small');
    const second = await one.next();
    assert.ok(second.packet.kind === 'data' && second.packet.data.length === 13);
    assert.notEqual(second.port, first.port);
    one.send(encodeAck(1), second.port);
    await until(() => events.length === 2);
    assert.deepEqual(
      events.map(({ kind }) => kind),
      ['tftp.failed', 'tftp.sent'],
    );
    assert.equal(server.gauges().transfers, 0);
  }));

test('a machine that restarts midway is served anew from the same port', () =>
  onStage({}, async ({ client }) => {
    const one = await client();
    one.ask('big');
    const first = await one.next();
    one.send(encodeAck(1), first.port);
    const second = await one.next();
    assert.ok(second.packet.kind === 'data' && second.packet.block === 2);
    one.ask('big');
    await new Promise((resolve) => setTimeout(resolve, 1100));
    one.ask('big');
    let anew = await one.next();
    // Retransmissions of the transfer given up may come before.
    while (anew.port === first.port) anew = await one.next();
    assert.ok(anew.packet.kind === 'data' && anew.packet.block === 1);
  }));

test('a stranger on the port of a transfer gets ERROR 5 and disturbs nothing', () =>
  onStage({}, async ({ client }) => {
    const [one, stranger] = [await client(), await client()];
    one.ask('big');
    const first = await one.next();
    stranger.send(encodeAck(1), first.port);
    assert.equal((await stranger.error()).code, 5);
    stranger.send(encodeError(0, 'go away'), first.port);
    await stranger.silent(50);
    one.send(encodeAck(1), first.port);
    const second = await one.next();
    assert.ok(second.packet.kind === 'data' && second.packet.block === 2);
  }));

test('a client that only asks for the size is no failure', () =>
  onStage({}, async ({ client, events, server }) => {
    const one = await client();
    one.ask('big', [{ name: 'tsize', value: '0' }]);
    const { packet, port } = await one.next();
    assert.deepEqual(packet, { kind: 'oack', options: [{ name: 'tsize', value: '3000000' }] });
    one.send(encodeError(8, 'thanks'), port);
    await until(() => server.gauges().transfers === 0);
    assert.deepEqual(events, []);
  }));

test('over the limit requests are left without an answer, and a later one of the same client is served', () =>
  onStage({ maxTransfersPerClient: 3 }, async ({ client, events, server }) => {
    const clients = await Promise.all(Array.from({ length: 200 }, client));
    for (const each of clients) each.ask('big');
    await until(() => events.length > 0);
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(server.gauges().transfers, 3);
    assert.ok(events.length === 1 && events[0]?.kind === 'server.trouble' && events[0].code === 'TFTP_BUSY');

    const answered: Client[] = [];
    for (const each of clients) {
      const first = await each.next(1).catch(() => undefined);
      if (first === undefined) continue;
      answered.push(each);
      each.send(encodeError(0, 'enough'), first.port);
    }
    assert.equal(answered.length, 3);
    await until(() => server.gauges().transfers === 0);
    const late = clients.find((each) => !answered.includes(each));
    late?.ask('small');
    assert.equal((await late?.fetch())?.toString(), 'a small file\n');
  }));

test('the limit over all clients holds too', () =>
  onStage({ maxTransfers: 2 }, async ({ client, server }) => {
    const clients = await Promise.all([client(), client(), client()]);
    for (const each of clients) each.ask('big');
    await until(() => server.gauges().transfers === 2);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(server.gauges().transfers, 2);
  }));

test('each address answers for itself, and reload follows the addresses', async () => {
  let addresses = [LOCAL];
  await onStage(
    {},
    async ({ client, port, server, events }) => {
      const one = await client();
      addresses = [ip('127.0.0.2'), ip('192.0.2.77')];
      await server.reload();
      const [trouble] = events;
      assert.ok(trouble?.kind === 'server.trouble' && serverTroubleText(trouble).includes('192.0.2.77'));
      one.send(encodeRequest('rrq', 'small', 'octet', []), port, '127.0.0.2');
      const reply = await one.next();
      assert.equal(reply.address, '127.0.0.2');
      one.send(encodeAck(1), reply.port, reply.address);
      await until(() => events.some(({ kind }) => kind === 'tftp.sent'));
      addresses = [LOCAL];
      await server.reload();
      one.ask('small');
      assert.equal((await one.next()).address, '127.0.0.1');
    },
    { addresses: () => addresses },
  );
});

test('a held port rejects the start, by name', async () => {
  const holder = dgram.createSocket('udp4');
  holder.bind(0, '127.0.0.1');
  await once(holder, 'listening');
  const start = startTftpServer({
    addresses: () => [LOCAL],
    port: holder.address().port,
    events: () => {},
    limits: () => LIMITS,
    source: async () => undefined,
  });
  await assert.rejects(start, { code: 'PORT_IN_USE' });
  holder.close();
});

test('closing in the middle of transfers tells the clients and leaks nothing', async () => {
  const descriptors = (): number => readdirSync('/proc/self/fd').length;
  // The first round opens what stays open for good, such as the thread pool's own descriptors.
  for (const round of ['first', 'second', 'third']) {
    const before = descriptors();
    const clients: Client[] = [];
    await onStage(
      {},
      async ({ client, server }) => {
        for (let i = 0; i < 20; i++) clients.push(await client());
        for (const each of clients) each.ask('self');
        for (const each of clients) assert.equal((await each.next()).packet.kind, 'data');
        assert.ok(descriptors() >= before + 60);
        await server.close();
        for (const each of clients)
          assert.deepEqual(await each.error(), { code: 0, message: 'the server is stopping' });
        assert.equal(server.gauges().transfers, 0);
      },
      { source: async () => ({ role: 'file', kind: 'file', path: import.meta.filename }) },
    );
    if (round !== 'first') assert.equal(descriptors(), before);
  }
});
