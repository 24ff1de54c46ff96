/** How downloads are bounded. `now` is in milliseconds and never goes back. */
export type DownloadLimits = {
  readonly most: number;
  readonly mostPerClient: number;
  readonly now?: () => number;
};

/** A download that runs. */
export type Download = {
  /** Bytes went out. */
  sent(bytes: number): void;
  end(): void;
};

/** Where others wait, a client slower than this over this time loses its place, the slowest first. */
const WINDOW_MS = 20_000;
const SLOW_BYTES_PER_S = 16 * 1024;
/** A client slower than this over this time is given up in any case: of a kernel of 10 MB it would take hours. */
const LONG_MS = 120_000;
const LEAST_BYTES_PER_S = 1024;
const CHECK_MS = 5000;

/**
 * The downloads of large files, bounded in all and for each client. Where there is no room for another, the slowest one that is too
 * slow makes room; else the slowest one of the client that has most of them, if that has more than the newcomer's would then have.
 */
export class Downloads<Client> {
  readonly #most: number;
  readonly #mostPerClient: number;
  readonly #now: () => number;
  readonly #ofClient = new Map<Client, Set<Running<Client>>>();
  #inAll = 0;
  #checking: NodeJS.Timeout | undefined;

  constructor({ most, mostPerClient, now = () => performance.now() }: DownloadLimits) {
    this.#most = most;
    this.#mostPerClient = mostPerClient;
    this.#now = now;
  }

  get size(): number {
    return this.#inAll;
  }

  /** Begins a download. `cut` ends it, later, with a reason in words; it must not throw. `undefined`: there is no place for it. */
  begin(client: Client, cut: (reason: string) => void): Download | undefined {
    const own = this.#ofClient.get(client);
    if ((own?.size ?? 0) >= this.#mostPerClient) return undefined;
    if (this.#inAll >= this.#most && !this.#makeRoom(own?.size ?? 0)) return undefined;
    const running = new Running(client, cut, this.#now());
    this.#ofClient.set(client, (this.#ofClient.get(client) ?? new Set()).add(running));
    this.#inAll++;
    this.#checking ??= setInterval(() => this.giveUpSlowest(), CHECK_MS).unref();
    return { sent: (bytes) => running.sent(bytes, this.#now()), end: () => this.#forget(running) };
  }

  /** Ends the downloads that no real machine is as slow as. */
  giveUpSlowest(): void {
    const now = this.#now();
    for (const one of this.#all()) {
      const rate = one.long.rate(now);
      if (rate !== undefined && rate < LEAST_BYTES_PER_S) this.#cut(one, 'the client takes less than 1 kB/s');
    }
  }

  #makeRoom(own: number): boolean {
    const now = this.#now();
    let slowest: { readonly one: Running<Client>; readonly rate: number } | undefined;
    for (const one of this.#all()) {
      const rate = one.short.rate(now);
      if (rate !== undefined && rate < SLOW_BYTES_PER_S && rate < (slowest?.rate ?? Number.POSITIVE_INFINITY))
        slowest = { one, rate };
    }
    const one = slowest?.one ?? this.#ofCrowded(own, now);
    if (one === undefined) return false;
    this.#cut(one, 'the client is too slow while others wait for a place');
    return true;
  }

  #ofCrowded(own: number, now: number): Running<Client> | undefined {
    let crowd: ReadonlySet<Running<Client>> | undefined;
    for (const all of this.#ofClient.values()) if (all.size > (crowd?.size ?? own + 1)) crowd = all;
    if (crowd === undefined) return undefined;
    return [...crowd].reduce((a, b) => (b.meanRate(now) < a.meanRate(now) ? b : a));
  }

  *#all(): Iterable<Running<Client>> {
    for (const all of this.#ofClient.values()) yield* all;
  }

  #cut(one: Running<Client>, reason: string): void {
    // Its place is free at once, not when its connection is.
    this.#forget(one);
    one.cut(reason);
  }

  #forget(one: Running<Client>): void {
    const all = this.#ofClient.get(one.client);
    if (!all?.delete(one)) return;
    this.#inAll--;
    if (all.size === 0) this.#ofClient.delete(one.client);
    if (this.#inAll > 0) return;
    clearInterval(this.#checking);
    this.#checking = undefined;
  }
}

class Running<Client> {
  readonly client: Client;
  readonly cut: (reason: string) => void;
  readonly short: Window;
  readonly long: Window;
  readonly #began: number;
  #bytes = 0;

  constructor(client: Client, cut: (reason: string) => void, now: number) {
    this.client = client;
    this.cut = cut;
    this.#began = now;
    this.short = new Window(WINDOW_MS, now);
    this.long = new Window(LONG_MS, now);
  }

  sent(bytes: number, now: number): void {
    this.#bytes += bytes;
    this.short.add(bytes, now);
    this.long.add(bytes, now);
  }

  meanRate(now: number): number {
    return this.#bytes / Math.max(1, now - this.#began);
  }
}

/** Bytes over a time, counted from its beginning to its end and then anew. */
class Window {
  readonly #lengthMs: number;
  #from: number;
  #bytes = 0;
  #last: number | undefined;

  constructor(lengthMs: number, now: number) {
    this.#lengthMs = lengthMs;
    this.#from = now;
  }

  add(bytes: number, now: number): void {
    this.#bytes += bytes;
    if (now - this.#from < this.#lengthMs) return;
    this.#last = this.#bytes / ((now - this.#from) / 1000);
    this.#from = now;
    this.#bytes = 0;
  }

  /** Bytes per second over the last whole window, or over the one that has lasted too long; `undefined` before there is one. */
  rate(now: number): number | undefined {
    const ms = now - this.#from;
    return ms >= this.#lengthMs ? this.#bytes / (ms / 1000) : this.#last;
  }
}
