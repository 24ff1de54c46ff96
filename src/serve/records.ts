import { Identities } from '../node/identity.ts';
import { removeLeftovers } from '../node/openssl.ts';
import { recall } from '../recall.ts';
import { longestLease } from '../site/lending.ts';
import { BootLog } from '../state/bootLog.ts';
import { EventLog } from '../state/eventLog.ts';
import { openPatientStore } from '../state/store.ts';
import { StrangerLog } from '../state/strangerLog.ts';
import type { Core } from './core.ts';

export type Records = Awaited<ReturnType<typeof openRecords>>;

/** Opens what the server learned: the state, and what is read of it at the start. */
export async function openRecords({ stateFolder, supervisor, bus: { emit }, ids, trouble, site, opened }: Core) {
  const store = await supervisor.vital('state', () =>
    openPatientStore(stateFolder, {
      longestLeaseMs: longestLease(site()) * 1000,
      onNotice: (noted) => emit({ kind: 'server.trouble', ...noted }),
    }),
  );
  opened.defer(() => store.close());
  supervisor.measure('state', () => store.gauges().state);
  supervisor.measure('state-events', () => store.gauges().events);
  await removeLeftovers(stateFolder).catch(trouble);
  const boots = await supervisor.part('timeline', () => BootLog.open(store));
  opened.defer(() => boots.close());
  const { timeline } = boots;
  supervisor.measure('timeline', () => timeline.gauges());
  const stopRecalling = await recall(
    async () => ids.startAfter((await store.events.lastId()) ?? 0),
    // The store reports itself what is wrong with it.
    () => {},
  );
  opened.defer(stopRecalling);
  const log = new EventLog(store.events, {
    onDropped: (count) => emit({ kind: 'server.trouble', code: 'EVENTS_DROPPED', count }),
  });
  opened.defer(() => log.close());
  const unlisted = await supervisor.part('strangers', () => StrangerLog.open(store.strangers));
  opened.defer(() => unlisted.close());
  const { strangers } = unlisted;
  supervisor.measure('strangers', () => strangers.gauges());
  return { store, timeline, log, strangers, identities: new Identities(store.identities) };
}
