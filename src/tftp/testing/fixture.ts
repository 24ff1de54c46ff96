import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import type { Happening } from '../../model/event.ts';
import { type Ipv4, parseIpv4 } from '../../model/ipv4.ts';
import { decode, encodeAck, encodeRequest, type Option, type Packet } from '../packet.ts';
import { startTftpServer, type TftpLimits, type TftpOptions, type TftpServer } from '../server.ts';

export const LIMITS: TftpLimits = { maxTransfers: 100, maxTransfersPerClient: 50, singlePort: false };

export function ip(text: string): Ipv4 {
  const address = parseIpv4(text);
  assert.ok(address !== undefined);
  return address;
}

export const LOCAL = ip('127.0.0.1');

export type Reply = { packet: Packet; port: number; address: string };

/** A client that the test drives packet by packet. */
export class Client {
  readonly #socket = dgram.createSocket('udp4');
  readonly #inbox: Reply[] = [];
  readonly #server: number;

  private constructor(server: number) {
    this.#server = server;
    this.#socket.on('message', (bytes, from) => {
      this.#inbox.push({ packet: decode(Buffer.from(bytes)), port: from.port, address: from.address });
      this.#socket.emit('got');
    });
  }

  static async open(server: number): Promise<Client> {
    const client = new Client(server);
    client.#socket.bind(0, '127.0.0.1');
    await once(client.#socket, 'listening');
    return client;
  }

  send(bytes: Uint8Array, port = this.#server, address = '127.0.0.1'): void {
    this.#socket.send(bytes, port, address);
  }

  ask(file: string, options: Option[] = [], kind: 'rrq' | 'wrq' = 'rrq', mode = 'octet'): void {
    this.send(encodeRequest(kind, file, mode, options));
  }

  async next(ms = 3000): Promise<Reply> {
    const timeout = AbortSignal.timeout(ms);
    while (this.#inbox.length === 0) await once(this.#socket, 'got', { signal: timeout });
    const reply = this.#inbox.shift();
    assert.ok(reply !== undefined);
    return reply;
  }

  async silent(ms: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, ms));
    assert.deepEqual(
      this.#inbox.map(({ packet }) => packet.kind),
      [],
    );
  }

  async error(): Promise<{ code: number; message: string }> {
    const { packet } = await this.next();
    assert.ok(packet.kind === 'error', packet.kind);
    return { code: packet.code, message: packet.message };
  }

  /** Fetches the rest of a file whose first packet is still to come. */
  async fetch(blockSize = 512): Promise<Buffer> {
    const parts: Uint8Array[] = [];
    for (;;) {
      const { packet, port, address } = await this.next();
      assert.ok(packet.kind === 'data' || packet.kind === 'oack', JSON.stringify(packet));
      this.send(encodeAck(packet.kind === 'data' ? packet.block : 0), port, address);
      // On a busy machine the server may have sent a block again before the ACK came.
      if (packet.kind === 'oack' || packet.block !== ((parts.length + 1) & 0xffff)) continue;
      parts.push(packet.data);
      if (packet.data.length < blockSize) return Buffer.concat(parts);
    }
  }

  async close(): Promise<void> {
    this.#socket.close();
    await once(this.#socket, 'close');
  }
}

export type Stage = { server: TftpServer; port: number; events: Happening[]; client: () => Promise<Client> };

export const FILES: Record<string, Buffer> = {
  small: Buffer.from('a small file\n'),
  big: Buffer.alloc(3_000_000, 'a big file. '),
};

async function freePort(): Promise<number> {
  const socket = dgram.createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

export async function onStage(
  limits: Partial<TftpLimits>,
  play: (stage: Stage) => Promise<void>,
  more: Partial<Omit<TftpOptions, 'limits' | 'port'>> = {},
): Promise<void> {
  const port = await freePort();
  const events: Happening[] = [];
  const clients: Client[] = [];
  const server = await startTftpServer({
    addresses: () => [LOCAL],
    events: (happening) => events.push(happening),
    source: async (name) => {
      const bytes = FILES[name];
      return bytes === undefined ? undefined : { role: 'file', kind: 'bytes', bytes };
    },
    ...more,
    port,
    limits: () => ({ ...LIMITS, ...limits }),
  });
  const client = async (): Promise<Client> => {
    const opened = await Client.open(port);
    clients.push(opened);
    return opened;
  };
  try {
    await play({ server, port, events, client });
  } finally {
    await server.close();
    for (const opened of clients) await opened.close();
  }
}

export async function until(what: () => boolean): Promise<void> {
  for (let i = 0; i < 300 && !what(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(what(), `waited in vain: ${what}`);
}
