import { parentPort, type Transferable, workerData } from 'node:worker_threads';
import { type FaultSink, guarded } from '../faults.ts';
import type { EventSink } from '../model/event.ts';
import type { Gauges } from '../model/gauges.ts';
import { EventBatches } from './eventBatches.ts';
import { type FromThread, packError, packEvents, type Shape, type ThreadData, type ToThread } from './messages.ts';

/** What a service in a thread is given. */
export type ThreadEdge<S extends Shape> = {
  readonly start: S['start'];
  readonly events: EventSink;
  /** Takes in exceptions that no code expected. */
  readonly faulted: FaultSink;
  send(message: S['fromThread'], transfer?: readonly Transferable[]): void;
};

/** A service that runs in this thread. */
export type ThreadService<S extends Shape> = {
  /** What it throws, or rejects with, is a fault of the service. */
  received(message: S['toThread']): void | Promise<void>;
  /** By name, who answers. */
  readonly answers: {
    readonly [Name in keyof S['asks']]: (
      question: S['asks'][Name]['question'],
    ) => S['asks'][Name]['answer'] | Promise<S['asks'][Name]['answer']>;
  };
  gauges(): Gauges;
  close(): Promise<void>;
};

const GAUGES_MS = 1000;

/**
 * Runs a service in this thread, which a `ServiceThread` started. What `start` rejects with, `ServiceThread.start` rejects with. Messages
 * that come while it starts are kept.
 */
export async function serveInThread<S extends Shape>(
  start: (edge: ThreadEdge<S>) => Promise<ThreadService<S>>,
): Promise<void> {
  const port = parentPort;
  if (port === null) throw new Error('this module runs in a thread of its own');
  const data = workerData as ThreadData<S>;
  const post = (message: FromThread<S>, transfer: readonly Transferable[] = []) =>
    port.postMessage(message, [...transfer]);
  const batches = new EventBatches(data.taken, (events) => post({ kind: 'events', events: packEvents(events) }));
  // The thread goes on until its service is closed: sockets that it made belong to the process, and outlast a thread that just ends.
  const broken: FaultSink = (error) => post({ kind: 'broken', error: packError(error) });
  process.on('uncaughtException', broken);
  process.on('unhandledRejection', broken);
  const faulted: FaultSink = (error) => post({ kind: 'fault', error: packError(error) });
  try {
    const service = await start({
      start: data.start,
      events: batches.add,
      faulted,
      send: (message, transfer) => post({ kind: 'message', message }, transfer),
    });
    const tellGauges = guarded(faulted, () =>
      post({ kind: 'gauges', gauges: { ...service.gauges(), droppedEvents: batches.dropped } }),
    );
    const telling = setInterval(tellGauges, GAUGES_MS).unref();
    port.on('message', (message: ToThread<S>) => {
      switch (message.kind) {
        case 'message':
          void attempt(() => service.received(message.message)).catch(faulted);
          break;
        case 'ask':
          void attempt(() => service.answers[message.name](message.question)).then(
            (answer) => {
              batches.flush();
              post({ kind: 'answer', id: message.id, answer });
            },
            (error) => {
              batches.flush();
              post({ kind: 'refusal', id: message.id, error: packError(error) });
            },
          );
          break;
        case 'close':
          clearInterval(telling);
          void service
            .close()
            .catch(faulted)
            .finally(() => {
              batches.flush();
              post({ kind: 'closed' });
              port.close();
            });
          break;
      }
    });
    tellGauges();
    post({ kind: 'started' });
  } catch (error) {
    batches.flush();
    post({ kind: 'refused', error: packError(error) });
    port.close();
  }
}

/** Calls at once, in this turn of the event loop; what it throws is a rejection. */
async function attempt<T>(work: () => T | Promise<T>): Promise<T> {
  return await work();
}
