import type { Shelf } from '../image/shelf.ts';
import { BootTimes } from '../metrics/bootTimes.ts';
import { processFamilies } from '../metrics/processFamilies.ts';
import { rackFamilies } from '../metrics/rackFamilies.ts';
import { serviceFamilies } from '../metrics/serviceFamilies.ts';
import { metricsText } from '../metrics/text.ts';
import type { Lease } from '../model/lease.ts';
import type { RollsForOperators } from '../roll/operators.ts';
import { poolOf } from '../timeline/heldLease.ts';
import type { Status } from '../timeline/status.ts';
import type { Timeline } from '../timeline/timeline.ts';
import type { Core } from './core.ts';

/** What metrics are read from. */
export type MetricsFrom = {
  readonly status: () => Status;
  readonly leases: () => readonly Lease[];
  readonly rolls: Pick<RollsForOperators, 'list'>;
  readonly shelf: Pick<Shelf, 'list'>;
};

/** They are put together at most once in this time: of a rack of thousands that takes milliseconds. */
const KEPT_MS = 1000;

/** Counts how boots end from now on, and gives the metrics of the whole server. */
export function openMetrics(
  { supervisor, bus, site, opened }: Core,
  timeline: Pick<Timeline, 'boots' | 'nodes'>,
  { status, leases, rolls, shelf }: MetricsFrom,
): () => Promise<string> {
  const bootTimes = new BootTimes((node) => timeline.boots(node));
  bootTimes.startWith(timeline.nodes());
  opened.defer(bus.subscribe((event) => supervisor.part('metrics', () => bootTimes.see(event))));
  const startedAt = Date.now() / 1000 - process.uptime();
  const make = async (): Promise<string> => {
    const images = (await shelf.list().catch(() => [])).map(({ name, kernel, initrd, root }) => ({
      name,
      bytes: kernel.size + initrd.size + (root?.size ?? 0),
    }));
    const { networks, api } = site();
    const nodes = api?.metrics.nodes ?? false;
    const lentFrom = lentPools(leases(), site(), Date.now());
    return metricsText([
      ...processFamilies(process.cpuUsage(), process.memoryUsage.rss(), startedAt),
      ...serviceFamilies(supervisor.allGauges()),
      {
        name: 'reveille_service_running',
        kind: 'gauge',
        help: 'Whether a service runs; 0 while it is started anew.',
        samples: supervisor.services.map(({ name, running }) => ({
          labels: { service: name },
          value: running === undefined ? 0 : 1,
        })),
      },
      ...bootTimes.families(),
      ...rackFamilies({ status: status(), networks, lentFrom, images, rolls: rolls.list(), nodes }),
    ]);
  };
  let made: { readonly at: number; readonly text: Promise<string> } | undefined;
  return () => {
    const now = performance.now();
    if (made === undefined || now - made.at > KEPT_MS) made = { at: now, text: make() };
    return made.text;
  };
}

/** The pool of each address that is lent from one now. */
function* lentPools(leases: readonly Lease[], site: Parameters<typeof poolOf>[0], now: number): Iterable<string> {
  for (const { ip, state, expires, reserved } of leases) {
    if (state !== 'bound' || expires <= now || reserved) continue;
    const pool = poolOf(site, ip);
    if (pool !== undefined) yield pool;
  }
}
