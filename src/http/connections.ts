import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { RETRY_SECONDS } from './refused.ts';

/** `fresh`: no request has come yet; `idle`: the last answer is out; `busy`: a request is being answered. */
type Phase = 'fresh' | 'idle' | 'busy';
type Connection = {
  readonly socket: Socket;
  readonly client: Client;
  phase: Phase;
  running: number;
  /** The request that came last, and its answer. */
  last?: { readonly request: IncomingMessage; readonly response: ServerResponse };
  closes?: true;
};
/** Connections by phase, each in the order in which they came to it. */
type Client = { readonly address: string; readonly in: { readonly [P in Phase]: Set<Connection> } };

const PHASES: readonly Phase[] = ['idle', 'fresh', 'busy'];

/** Refusals that are being written; a connection beyond them is closed without one. */
const MOST_REFUSALS = 64;
const REFUSAL_MS = 1000;
/** The whole answer to a connection that has no place. */
export const REFUSAL = `HTTP/1.1 503 Service Unavailable\r\nRetry-After: ${RETRY_SECONDS}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`;

/**
 * The connections of clients, bounded in all and for each address. When they run short, those that wait for a request go first, of
 * the address that has the most; one that is being answered goes only where its address has more than the newcomer's would.
 */
export class Connections {
  readonly #most: number;
  readonly #mostEach: number;
  readonly #clients = new Map<string, Client>();
  readonly #of = new Map<Socket, Connection>();
  #refusals = 0;
  #refused = 0;
  #requests = 0;

  constructor(most: number, mostEach: number) {
    this.#most = most;
    this.#mostEach = mostEach;
  }

  get size(): number {
    return this.#of.size;
  }

  /** Connections that are open, and that were refused since the start; requests that came since then. */
  gauges(): { readonly connections: number; readonly refusedConnections: number; readonly requests: number } {
    return { connections: this.#of.size, refusedConnections: this.#refused, requests: this.#requests };
  }

  /** Takes a connection in, if need be in the place of another. One that has no place is refused and closed. */
  admit(socket: Socket): boolean {
    const address = socket.remoteAddress ?? '';
    const own = this.#clients.get(address);
    if (own && sizeOf(own) >= this.#mostEach && !this.#close(own, ['idle', 'fresh'])) return this.#refuse(socket);
    if (this.#of.size >= this.#most && !this.#makeRoom(own ? sizeOf(own) : 0)) return this.#refuse(socket);
    const client = this.#clients.get(address) ?? newClient(address);
    this.#clients.set(address, client);
    const connection: Connection = { socket, client, phase: 'fresh', running: 0 };
    client.in.fresh.add(connection);
    this.#of.set(socket, connection);
    socket.once('close', () => this.#forget(connection));
    return true;
  }

  /** A request came, that `response` is to answer. */
  began(request: IncomingMessage, response: ServerResponse): void {
    const connection = this.#of.get(request.socket);
    if (connection === undefined) return;
    connection.running++;
    this.#requests++;
    connection.last = { request, response };
    move(connection, 'busy');
  }

  /** A request is answered. */
  ended(socket: Socket): void {
    const connection = this.#of.get(socket);
    if (connection === undefined) return;
    connection.running--;
    if (connection.running > 0) return;
    move(connection, 'idle');
    if (connection.closes) socket.destroySoon();
  }

  /**
   * What comes on a connection cannot be read any more. Requests that came whole are still answered before it is closed; where a
   * request broke off and others are being answered it is closed at once. `false` if an answer may be written: nothing else is.
   */
  closeUnreadable(socket: Socket): boolean {
    const connection = this.#of.get(socket);
    if (connection?.phase !== 'busy') return false;
    const { last, running } = connection;
    if (last?.request.complete) {
      connection.closes = true;
      socket.pause();
      return true;
    }
    if (running === 1 && !last?.response.headersSent) return false;
    socket.destroy();
    return true;
  }

  closeAll(): void {
    for (const { socket } of [...this.#of.values()]) socket.destroy();
  }

  #makeRoom(own: number): boolean {
    for (const phase of PHASES) {
      const crowded = this.#mostIn(phase);
      if (crowded === undefined) continue;
      if (phase === 'busy' && sizeOf(crowded) < own + 2) continue;
      if (this.#close(crowded, [phase])) return true;
    }
    return false;
  }

  /** The client with the most connections, of those that have one in `phase`. */
  #mostIn(phase: Phase): Client | undefined {
    let most: Client | undefined;
    for (const client of this.#clients.values()) {
      if (client.in[phase].size > 0 && (most === undefined || sizeOf(client) > sizeOf(most))) most = client;
    }
    return most;
  }

  /** Closes the connection that waits longest in the first of `phases` that has one; of the busy ones the newest. */
  #close(client: Client, phases: readonly Phase[]): boolean {
    for (const phase of phases) {
      const all = client.in[phase];
      const one = phase === 'busy' ? [...all].at(-1) : all.values().next().value;
      if (one === undefined) continue;
      // Its place is free at once, not when its close event comes.
      this.#forget(one);
      one.socket.destroy();
      return true;
    }
    return false;
  }

  #forget(connection: Connection): void {
    if (this.#of.get(connection.socket) !== connection) return;
    this.#of.delete(connection.socket);
    const { client, phase } = connection;
    client.in[phase].delete(connection);
    if (sizeOf(client) === 0) this.#clients.delete(client.address);
  }

  #refuse(socket: Socket): false {
    this.#refused++;
    socket.on('error', () => {});
    if (this.#refusals >= MOST_REFUSALS) {
      socket.destroy();
      return false;
    }
    this.#refusals++;
    // What it sent is read, so that closing does not take the refusal back on its way.
    socket.resume();
    socket.end(REFUSAL);
    const timer = setTimeout(() => socket.destroy(), REFUSAL_MS);
    socket.once('close', () => {
      clearTimeout(timer);
      this.#refusals--;
    });
    return false;
  }
}

function newClient(address: string): Client {
  return { address, in: { fresh: new Set(), idle: new Set(), busy: new Set() } };
}

function sizeOf({ in: { fresh, idle, busy } }: Client): number {
  return fresh.size + idle.size + busy.size;
}

function move(connection: Connection, phase: Phase): void {
  if (connection.phase === phase) return;
  connection.client.in[connection.phase].delete(connection);
  connection.phase = phase;
  connection.client.in[phase].add(connection);
}
