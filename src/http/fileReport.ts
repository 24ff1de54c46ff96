import { ReveilleError } from '../errors.ts';
import { type FileFacts, factsOf } from '../model/bootFile.ts';
import type { EventSink } from '../model/event.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import type { Mac } from '../model/mac.ts';
import { busy, shortage } from './refused.ts';
import type { Sent } from './sendBytes.ts';

/** The events of one request for a boot file, and the errors that its client gets. */
export class FileReport {
  readonly #emit: EventSink;
  #who: { readonly file: string; readonly ip: Ipv4; readonly mac?: Mac };
  #facts: Partial<FileFacts> = {};

  /** `file`: its name as the client asked for it, fit for an event. */
  constructor(emit: EventSink, file: string, ip: Ipv4) {
    this.#emit = emit;
    this.#who = { file, ip };
  }

  /** What was found under that name. */
  found(file: FileFacts & { readonly mac?: Mac }): void {
    this.#facts = factsOf(file);
    if (file.mac !== undefined) this.#who = { ...this.#who, mac: file.mac };
  }

  missing(): ReveilleError {
    this.#emit({ kind: 'http.missing', ...this.#who });
    return new ReveilleError('FILE_MISSING', `there is no file ${this.#who.file}`);
  }

  crowded(): ReveilleError {
    return this.#refused(busy('too many downloads run at once'));
  }

  ended(sent: Sent): void {
    const about = { ...this.#who, ...this.#facts, bytes: sent.bytes };
    if (sent.kind === 'sent') this.#emit({ kind: 'http.sent', ...about, ms: sent.ms });
    else this.#emit({ kind: 'http.failed', ...about, reason: sent.reason });
  }

  /** The request failed before its file was sent. What the client gets: an error of ours, or what no code expected. */
  failed(error: unknown): unknown {
    const ours = error instanceof ReveilleError ? error : shortage(error);
    return ours ? this.#refused(ours) : error;
  }

  #refused(error: ReveilleError): ReveilleError {
    this.#emit({ kind: 'http.failed', ...this.#who, ...this.#facts, bytes: 0, reason: error.message });
    return error;
  }
}
