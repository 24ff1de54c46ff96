import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReveilleError } from '../errors.ts';
import { HttpPorts, MachinesServer } from './machinesServer.ts';
import type { HttpServer } from './server.ts';
import { ask, loopbackServer, SMALL, statusOf, until } from './testing/serverFixture.ts';

/** A server that only notes its ports; those that are taken it refuses. */
function notingServer(taken: readonly number[] = []) {
  const ports: number[] = [];
  const server: HttpServer = {
    async listen({ port }) {
      if (taken.includes(port)) throw new ReveilleError('PORT_IN_USE', `port ${port}`);
      ports.push(port);
      return port;
    },
    reload() {},
    gauges: () => ({ connections: 0 }),
    close: async () => {},
  };
  return { server, ports };
}

const never = (error: unknown) => assert.fail(`${error}`);

test('the port follows the site; those before are kept for nodes that know them', async () => {
  let wanted = 8080;
  const ports = new HttpPorts(() => wanted);
  const { server, ports: heard } = notingServer([9000]);
  const service = await MachinesServer.start(server, ports, never);
  const steps: readonly (readonly [wanted: number, current: number, heard: readonly number[]])[] = [
    [8080, 8080, [8080]],
    [8081, 8081, [8080, 8081]],
    [8080, 8080, [8080, 8081]],
    [8082, 8082, [8080, 8081, 8082]],
  ];
  for (const [port, current, all] of steps) {
    wanted = port;
    await service.reload();
    assert.deepEqual([ports.current, heard], [current, all]);
  }
  wanted = 9000;
  await assert.rejects(service.reload(), { code: 'PORT_IN_USE' });
  assert.equal(ports.current, 8082, 'a port that cannot be had changes nothing');
});

test('a server that is started anew listens on all of them again, and needs only the newest', async () => {
  let wanted = 8080;
  const ports = new HttpPorts(() => wanted);
  const first = await MachinesServer.start(notingServer().server, ports, never);
  wanted = 8081;
  await first.reload();
  const skipped: unknown[] = [];
  const { server, ports: heard } = notingServer([8080]);
  await MachinesServer.start(server, ports, (error) => skipped.push(error));
  assert.deepEqual([heard, skipped.length], [[8081], 1]);
  await assert.rejects(MachinesServer.start(notingServer([8081]).server, ports, never), { code: 'PORT_IN_USE' });
});

test('a second port of a server has the same files, connections and limits', async (t) => {
  const { http, port } = await loopbackServer(t);
  const also = await http.listen({ port: 0 });
  assert.notEqual(also, port);
  for (const one of [port, also, port]) {
    const answer = await ask(t, one, '/boot/files/small');
    assert.equal(statusOf(answer), 200);
    assert.ok(answer.endsWith(SMALL));
  }
  await until('the connections are closed', () => http.gauges().connections === 0);
  assert.deepEqual(http.gauges(), {
    connections: 0,
    refusedConnections: 0,
    requests: 3,
    downloads: 0,
    filesSent: 3,
    fileBytesSent: 3 * SMALL.length,
    filesUnreported: 0,
  });
  await assert.rejects(http.listen({ port: also }), { code: 'PORT_IN_USE' });
  await http.close();
  for (const one of [port, also]) await assert.rejects(fetch(`http://127.0.0.1:${one}/boot/files/small`));
});
