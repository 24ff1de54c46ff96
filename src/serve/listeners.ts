import { Log, type LogFormat } from '../log/log.ts';
import type { Event } from '../model/event.ts';
import type { EventBus } from '../timeline/bus.ts';
import { EventGate } from '../timeline/eventGate.ts';
import { isWorthKeeping } from '../timeline/worthKeeping.ts';
import type { Core } from './core.ts';
import type { Records } from './records.ts';

/** Has all that listens hear the bus: timeline, strangers, logs and the state. `listener` writes standard output. */
export function listenToEvents(
  { supervisor, bus, site, opened }: Core,
  { timeline, strangers, log }: Records,
  listener: (event: Event, format: LogFormat) => void,
) {
  const daemons = new Log(site().log, (lost) => bus.emit({ kind: 'server.trouble', code: 'LOG_LOST', ...lost }));
  opened.defer(() => daemons.close());
  supervisor.measure('log', () => daemons.gauges());
  const gate = new EventGate(bus, supervisor.sinkOf('events'));
  opened.defer(() => gate.close());
  supervisor.measure('events', () => ({ emitted: bus.emitted, ...gate.gauges(), ...log.gauges() }));
  // What a listener does later belongs to the listener, not to the service whose event it heard.
  const listen = (to: Pick<EventBus, 'subscribe'>, name: string, hear: (event: Event) => void) =>
    to.subscribe((event) => supervisor.part(name, () => hear(event)));
  listen(bus, 'timeline', (event) => timeline.see(event));
  listen(bus, 'strangers', (event) => strangers.see(event));
  listen(gate, 'log', (event) => listener(event, site().log.format));
  listen(gate, 'log', (event) => daemons.write(event));
  listen(gate, 'events', (event) => {
    if (isWorthKeeping(event)) log.append(event);
  });
  return { daemons };
}
