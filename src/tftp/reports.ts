import { cleanName } from '../boot/confine.ts';
import type { FileFacts } from '../model/bootFile.ts';
import type { EventSink } from '../model/event.ts';
import { formatIpv4, type Ipv4 } from '../model/ipv4.ts';
import type { TroubleCode } from '../model/trouble.ts';
import { Tally } from '../timeline/tally.ts';
import { AddressBuckets, type Allowance, Bucket } from './buckets.ts';
import type { TransferResult } from './delivery.ts';
import { printable } from './packet.ts';

/** A boot may ask for some hundred files that are not there; one address has so many listed, and all strangers so many. */
const OF_ONE: Allowance = { burst: 200, perSecond: 4 };
const OF_STRANGERS: Allowance = { burst: 100, perSecond: 10 };

const LONGEST_SHOWN = 100;

/** How a request ended. */
export type RequestResult =
  | TransferResult
  | { readonly kind: 'missing' }
  /** It got no answer, for lack of a descriptor or of a place in the queue: clients ask again. */
  | { readonly kind: 'unanswered'; readonly reason: 'descriptors' | 'busy' };

/** How a request ended, of whom and for which file, as the client named it. */
export type Report = {
  readonly ip: Ipv4;
  readonly known: boolean;
  readonly file: string;
  readonly facts: Partial<FileFacts>;
  readonly result: RequestResult;
};

/**
 * Events of the TFTP server, in numbers that a flood does not raise: what fails without the client ever having been heard is
 * listed one by one up to a limit and counted beyond it, as are malformed and unanswered requests.
 */
export class Reports {
  readonly #emit: EventSink;
  readonly #ofOne = new AddressBuckets();
  readonly #ofStrangers = new Bucket(OF_STRANGERS);
  readonly #tallies: readonly Tally[];
  readonly #malformed: Tally;
  readonly #unanswered: Tally;
  readonly #descriptors: Tally;
  readonly #sockets: Tally;
  readonly #unlisted: Tally;

  /** `emit` must not throw. */
  constructor(emit: EventSink) {
    this.#emit = emit;
    const trouble = (code: TroubleCode, words: string): Tally =>
      new Tally((count, sample) => emit({ kind: 'server.trouble', code, message: `${count} ${words}: ${sample}` }));
    this.#malformed = new Tally((count, sample) => emit({ kind: 'packets.malformed', service: 'tftp', count, sample }));
    this.#unanswered = trouble('TFTP_BUSY', 'TFTP requests had to wait');
    this.#descriptors = trouble('TFTP_DESCRIPTORS', 'TFTP requests had to wait for a file descriptor');
    this.#sockets = trouble('TFTP_LISTEN', 'errors of TFTP sockets');
    this.#unlisted = trouble('TFTP_UNLISTED', 'TFTP requests that came to nothing are not listed one by one');
    this.#tallies = [this.#malformed, this.#unanswered, this.#descriptors, this.#sockets, this.#unlisted];
  }

  malformed(reason: string, address: string): void {
    this.#malformed.note(`${reason}, from ${address}`);
  }

  /** A request got no answer because of a limit. */
  unanswered(ip: Ipv4): void {
    this.#unanswered.note(`the last from ${formatIpv4(ip)}`);
  }

  socketError(error: Error): void {
    this.#sockets.note(error.message);
  }

  trouble(code: TroubleCode, message: string): void {
    this.#emit({ kind: 'server.trouble', code, message });
  }

  /** `now` is in milliseconds of one monotonic clock. */
  ended({ ip, known, file, facts, result }: Report, now: number): void {
    switch (result.kind) {
      case 'sent':
        this.#emit({ kind: 'tftp.sent', ip, file: shown(file), ...facts, bytes: result.bytes, ms: result.ms });
        break;
      case 'missing':
        if (this.#isListed(ip, known, now)) this.#emit({ kind: 'tftp.missing', ip, file: shown(file) });
        break;
      case 'failed':
        if (this.#isListed(ip, known, now)) {
          this.#emit({
            kind: 'tftp.failed',
            ip,
            file: shown(file),
            ...facts,
            reason: result.reason,
            bytes: result.bytes,
          });
        }
        break;
      case 'unanswered':
        if (result.reason === 'busy') this.unanswered(ip);
        else this.#descriptors.note(`the last from ${formatIpv4(ip)}`);
        break;
      case 'probed':
        break;
    }
  }

  /** Reports what has been counted. */
  close(): void {
    for (const tally of this.#tallies) tally.close();
  }

  #isListed(ip: Ipv4, known: boolean, now: number): boolean {
    if (this.#ofOne.take(ip, OF_ONE, now) && (known || this.#ofStrangers.take(now))) return true;
    this.#unlisted.note(`the last from ${formatIpv4(ip)}`);
    return false;
  }
}

function shown(file: string): string {
  return printable(cleanName(file) ?? file.slice(0, LONGEST_SHOWN));
}
