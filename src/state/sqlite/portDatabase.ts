import type { MessagePort } from 'node:worker_threads';
import type { Database, Statement } from '../database.ts';
import { type Failure, unavailable } from '../failure.ts';
import type { Answer, Notice, Outcome, Request } from './messages.ts';
import { hanging } from './thread.ts';

export type PortDatabaseOptions = {
  readonly folder: string;
  readonly onNotice: (notice: Notice) => void;
  /** The thread of the database has ended, or does not answer: its owner has to start it anew. */
  readonly missing: () => void;
  readonly patienceMs?: number;
};

type Waiting = {
  readonly asked: readonly Statement[];
  readonly askedAt: number;
  readonly settled: PromiseWithResolvers<Outcome>;
};

const PATIENCE_MS = 20_000;
const LOOK_EVERY_MS = 1000;

/** The database of the state as another thread than its owner asks it: through a port that goes straight to the database's thread. */
export class PortDatabase implements Database {
  readonly #options: PortDatabaseOptions;
  readonly #waiting = new Map<number, Waiting>();
  #port: MessagePort | undefined;
  #lastId = 0;
  #looking: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: PortDatabaseOptions) {
    this.#options = options;
  }

  /** Takes the port of a thread that has started. What waits for one is asked now. */
  take(port: MessagePort): void {
    this.#port?.close();
    this.#port = port;
    port.on('message', (answer: Answer<Outcome> | { readonly notice: Notice }) => {
      if ('notice' in answer) return this.#options.onNotice(answer.notice);
      const { settled } = this.#take(answer.id) ?? {};
      if ('given' in answer) settled?.resolve(answer.given);
      else settled?.reject(unavailable(answer.failure));
    });
    port.on('close', () => {
      if (this.#port !== port) return;
      this.#port = undefined;
      this.#rejectAll({ message: `the thread that keeps ${this.#options.folder} has ended`, hint: '' });
    });
    for (const [id, { asked }] of this.#waiting)
      port.postMessage({ id, asked } satisfies Request<readonly Statement[]>);
  }

  async run(statements: readonly Statement[]): ReturnType<Database['run']> {
    return (await this.#ask(statements)) ?? [];
  }

  async claim(statements: readonly Statement[]): Promise<boolean> {
    return (await this.#ask(statements)) !== undefined;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#looking);
    this.#port?.close();
    this.#port = undefined;
    this.#rejectAll({ message: `${this.#options.folder} has been closed`, hint: '' });
  }

  #ask(asked: readonly Statement[]): Promise<Outcome> {
    const { folder, missing } = this.#options;
    if (this.#closed) return Promise.reject(unavailable({ message: `${folder} has been closed`, hint: '' }));
    const id = ++this.#lastId;
    const settled = Promise.withResolvers<Outcome>();
    this.#waiting.set(id, { asked, askedAt: performance.now(), settled });
    if (this.#port) this.#port.postMessage({ id, asked } satisfies Request<readonly Statement[]>);
    else missing();
    this.#looking ??= setInterval(() => this.#look(), LOOK_EVERY_MS).unref();
    return settled.promise;
  }

  #look(): void {
    const [oldest] = this.#waiting.values();
    if (!oldest || performance.now() - oldest.askedAt < (this.#options.patienceMs ?? PATIENCE_MS)) return;
    this.#options.missing();
    this.#rejectAll(hanging(this.#options.folder));
  }

  #rejectAll(failure: Failure): void {
    for (const id of [...this.#waiting.keys()]) this.#take(id)?.settled.reject(unavailable(failure));
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }
}
