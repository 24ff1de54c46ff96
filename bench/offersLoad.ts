import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { loadProgram } from './load.ts';
import { AMONG_CLIENTS, type Wire } from './wire.ts';

/** What was seen of OFFERs; times in milliseconds, `firstAt` in seconds since 1970. */
export type Offers = {
  readonly sent: number;
  readonly answered: number;
  readonly unanswered: number;
  readonly firstAt: number;
  readonly p50: number;
  readonly p99: number;
  readonly longest: number;
};

/** Sends DISCOVERs of some machines at a steady pace for some seconds, and measures the OFFERs (`load/offers.c`). */
export async function askOffers(
  wire: Wire,
  load: {
    readonly mac: string;
    readonly machines: number;
    readonly everyMicroseconds: number;
    readonly seconds: number;
  },
): Promise<Offers> {
  const [first, ...enter] = AMONG_CLIENTS;
  const { mac, machines, everyMicroseconds, seconds } = load;
  const args = [wire.server, wire.client, mac, `${machines}`, `${everyMicroseconds}`, `${seconds}`];
  const { stdout } = await promisify(execFile)(first, [...enter, loadProgram('offers'), ...args]);
  return JSON.parse(stdout) as Offers;
}
