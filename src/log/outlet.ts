import type { DatagramSender } from '../net/datagram.ts';

/** Messages that wait for a receiver that is behind or gone: a few seconds of a rack that boots. */
const MOST_WAITING = 2000;
/** A receiver that is behind is tried again soon, as its queue may hold ten messages only; one that is gone, later. */
const FIRST_RETRY_MS = 1;
const LAST_RETRY_MS = 500;

/** Messages on their way to one receiver. */
export type Outlet = {
  /** Sends, or keeps to send later; never waits and never throws. */
  send(message: Uint8Array): void;
  close(): void;
};

/**
 * An outlet over `sender`. What the receiver does not take waits, in its order, while the receiver is behind or being
 * restarted; messages beyond the bound are dropped, each passed to `dropped` with the reason.
 */
export function openOutlet(sender: DatagramSender, dropped: (reason: string) => void): Outlet {
  let waiting: Uint8Array[] = [];
  let timer: NodeJS.Timeout | undefined;
  let patience = FIRST_RETRY_MS;
  let reason = '';

  const flush = (): void => {
    timer = undefined;
    let sent = 0;
    for (const message of waiting) {
      const failure = take(message);
      if (failure !== undefined) break;
      sent++;
    }
    waiting = waiting.slice(sent);
    patience = sent > 0 ? FIRST_RETRY_MS : Math.min(patience * 2, LAST_RETRY_MS);
    if (waiting.length > 0) wait();
  };
  /** Why the receiver has to be waited for, if it has. */
  const take = (message: Uint8Array): string | undefined => {
    const failure = sender.send(message);
    if (failure === undefined) return undefined;
    reason = failure;
    if (LASTING.has(failure)) return failure;
    // This very message cannot be sent, later ones may.
    dropped(failure);
    return undefined;
  };
  const wait = (): void => {
    timer ??= setTimeout(flush, patience).unref();
  };

  return {
    send(message) {
      if (waiting.length === 0 && take(message) === undefined) return;
      if (waiting.length >= MOST_WAITING) dropped(reason);
      else waiting.push(message);
      wait();
    },
    close() {
      clearTimeout(timer);
      flush();
      clearTimeout(timer);
      sender.close();
    },
  };
}

/** The receiver is behind, is not there, or does not listen; or the network is down. */
const LASTING: ReadonlySet<string> = new Set([
  'EAGAIN',
  'ENOBUFS',
  'ENOENT',
  'ECONNREFUSED',
  'EACCES',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'ENETDOWN',
]);
