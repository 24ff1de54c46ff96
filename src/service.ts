import type { Gauges } from './model/gauges.ts';

/** What a service runs. */
export type Running = {
  close(): Promise<void>;
  /** Takes over the site, and this machine's interfaces, as they are now. */
  reload?(): Promise<void>;
  /** Each has its row in `MEASURES`. */
  gauges?(): Gauges;
};

/** One service of the server, which may be started anew while it is used. */
export type Service<T extends Running = Running> = {
  readonly name: string;
  /** What serves now; absent while the service is being started anew. */
  readonly running: T | undefined;
  reload(): Promise<void>;
  /** Those of what serves now, and how often the service was started anew (`restarts`). */
  gauges(): Gauges;
  close(): Promise<void>;
};
