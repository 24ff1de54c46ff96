import { closeSync } from 'node:fs';
import type { BootSite } from '../boot/site.ts';
import type { FileSource } from '../boot/source.ts';
import type { FaultSink } from '../faults.ts';
import type { EventSink } from '../model/event.ts';
import type { Gauges } from '../model/gauges.ts';
import { packError } from '../threads/messages.ts';
import { ServiceThread } from '../threads/serviceThread.ts';
import type { BulkShape } from './bulkShape.ts';
import type { Adopt, HttpFront, ListenAt } from './front.ts';
import type { HttpLimits } from './limits.ts';

export type BulkFrontFrom = {
  readonly stateFolder: string;
  /** Where the operator's files are now. */
  readonly tftp: () => BootSite['tftp'];
  /** What is made for who asks, in this thread: all of `/boot/` that is not on disk. */
  readonly made: FileSource;
  readonly limits: HttpLimits;
  /** A transfer that moves no byte for so long is given up. */
  readonly stallMs: number;
  readonly emit: EventSink;
  readonly faulted: FaultSink;
  /** The thread ended: the service must be started anew. */
  readonly broken: FaultSink;
  readonly adopt: Adopt;
};

/** A thread of its own that accepts connections and serves boot files over HTTP; it needs the addon. */
export class BulkFront implements HttpFront {
  readonly #from: BulkFrontFrom;
  #thread: ServiceThread<BulkShape> | undefined;
  #isClosed = false;

  static async start(from: BulkFrontFrom): Promise<BulkFront> {
    const front = new BulkFront(from);
    const { stateFolder, limits, stallMs, emit, faulted, broken, tftp } = from;
    front.#thread = await ServiceThread.start<BulkShape>({
      name: 'http',
      module: new URL('./bulkThread.ts', import.meta.url),
      start: { stateFolder, limits, stallMs, tftp: tftp() },
      events: emit,
      faulted,
      broken,
      received: (message) => front.#take(message),
    });
    return front;
  }

  private constructor(from: BulkFrontFrom) {
    this.#from = from;
  }

  async listen(where: ListenAt): Promise<number> {
    if (this.#thread === undefined) throw new Error('the thread is not started');
    return this.#thread.ask('listen', where);
  }

  reload(): void {
    this.#thread?.send({ kind: 'site', tftp: this.#from.tftp() });
  }

  gauges(): Gauges {
    return this.#thread?.gauges ?? {};
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#thread?.close();
  }

  #take(message: BulkShape['fromThread']): void {
    if (message.kind === 'connection') {
      // It came while the server stops.
      if (this.#isClosed) closeSync(message.fd);
      else this.#from.adopt(message.fd, message.bytes);
      return;
    }
    const { id, name, client } = message;
    const settle = (made: Extract<BulkShape['toThread'], { kind: 'made' }>['made']) =>
      this.#thread?.send({ kind: 'made', id, made });
    void this.#from.made(name, client).then(
      (file) => settle({ file }),
      (error) => settle({ error: packError(error) }),
    );
  }
}
