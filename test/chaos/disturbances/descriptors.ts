import { existsSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { sh } from '../../rig/network.ts';
import { type Disturbance, linger } from '../stage.ts';

/** No more descriptors are to be had (EMFILE), while clients connect. Files cannot be opened then; DHCP has all that it needs. */
export const noDescriptors: Disturbance = {
  name: 'EMFILE',
  served: 'reserved',
  async run({ server, random, begun, over }) {
    const { pid } = server;
    const usual = /^Max open files +([0-9]+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))?.[1];
    const used = server.gauges()?.descriptors ?? 30;
    begun();
    sh(`prlimit --pid ${pid} --nofile=${random.pick([8, used - 2, used, used + 2])}:`);
    const sockets: Socket[] = [];
    for (let i = 0; i < 60; i++) {
      const socket = connect({ host: '10.0.0.2', port: 8080 }).on('error', () => {});
      socket.write('GET /boot/files/hello.txt HTTP/1.1\r\nHost: x\r\n\r\n');
      sockets.push(socket);
    }
    await linger(random, 2000, 4000);
    for (const socket of sockets) socket.destroy();
    // It may have ended by it, which is not as it should be and is seen elsewhere.
    if (existsSync(`/proc/${pid}`)) sh(`prlimit --pid ${pid} --nofile=${usual}:`);
    over();
  },
};
