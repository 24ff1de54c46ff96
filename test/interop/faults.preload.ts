import { EventEmitter } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { isMainThread, Worker } from 'node:worker_threads';

// Read by the server under test before its own code (`node --import`). On SIGUSR2 the next event at the edge that the file
// names throws, as a mistake in the code behind it would. Threads of services, which get no signals, read the file at each of their edges.

const EDGES: Readonly<Record<string, (emitter: EventEmitter, event: string) => boolean>> = {
  tftp: (emitter, event) => event === 'message' && emitter instanceof Worker && emitter.threadName === 'tftp',
  http: (emitter, event) => event === 'request' && isHttp(emitter, 'object'),
  operators: (emitter, event) => event === 'request' && isHttp(emitter, 'string'),
  state: (emitter, event) => event === 'message' && emitter instanceof Worker && emitter.threadName === 'state',
};

/** A server at a Unix socket has its path as address; that for machines has parts of an address, or none where its connections are accepted elsewhere. */
function isHttp(emitter: EventEmitter, address: 'object' | 'string'): boolean {
  return emitter instanceof http.Server && typeof emitter.address() === address;
}

const FAULT = process.env.REVEILLE_TEST_FAULT ?? '';
let armed: string | undefined;
/** None while the process has no descriptor left to read the file by. */
const armedEdge = () => {
  try {
    return readFileSync(FAULT, { encoding: 'utf8', flag: 'a+' }).trim();
  } catch {
    return '';
  }
};
if (isMainThread)
  process.on('SIGUSR2', () => {
    armed = armedEdge();
  });
/** Whether this edge is to throw: once. */
function throwsAt(edge: string): boolean {
  if ((isMainThread ? armed : armedEdge()) !== edge) return false;
  armed = undefined;
  writeFileSync(FAULT, '');
  return true;
}

const { emit } = EventEmitter.prototype;
EventEmitter.prototype.emit = function (event: string, ...args: unknown[]): boolean {
  for (const [edge, isHere] of Object.entries(EDGES))
    if (isHere(this, event) && throwsAt(edge)) throw new Error(`a mistake behind ${edge}`);
  return emit.call(this, event, ...args);
};

// DHCP has no emitter at its edge: it answers what it has read in a callback of the event loop.
const { setImmediate: schedule } = globalThis;
globalThis.setImmediate = Object.assign(
  (callback: (...args: unknown[]) => void, ...args: unknown[]): NodeJS.Immediate => {
    if (isMainThread || !new Error().stack?.includes('/src/dhcp/port.ts') || !throwsAt('dhcp'))
      return schedule(callback, ...args);
    return schedule(() => {
      throw new Error('a mistake behind dhcp');
    });
  },
  schedule,
);
