import { cleanName } from '../boot/confine.ts';
import type { FileSource } from '../boot/source.ts';
import type { FaultSink } from '../faults.ts';
import { factsOf } from '../model/bootFile.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import { SHORTENED } from '../net/mappedFile.ts';
import { Admission, type AdmissionLimits, cancel, type Incoming, type Session } from './admission.ts';
import { CHUNK_BYTES, ChunkPool } from './blocks.ts';
import { type Content, openContent } from './content.ts';
import { Delivery } from './delivery.ts';
import type { FilesInMemory } from './filesInMemory.ts';
import { LookUps } from './lookUps.ts';
import { negotiate, type Terms } from './negotiate.ts';
import { ERROR, encodeError, type Request } from './packet.ts';
import type { Peer } from './peer.ts';
import { refusalOf } from './refusals.ts';
import type { Replies } from './replies.ts';
import type { Reports, RequestResult } from './reports.ts';
import type { Receiver, TransferPort } from './transferPort.ts';

/** What answering requests needs, for all addresses of a server. */
export type RequestsOptions = {
  readonly source: FileSource;
  /** Asked at each request. */
  readonly limits: () => AdmissionLimits;
  /** Whether the address is that of a node, or of the holder of a lease. Must not throw. */
  readonly isKnown: (ip: Ipv4) => boolean;
  /** The largest packet of the link, in bytes. */
  readonly mtu: number;
  /** What files are sent from memory with. */
  readonly files: Pick<FilesInMemory, 'take'>;
  readonly replies: Replies;
  readonly reports: Reports;
  readonly faulted: FaultSink;
};

/** A request as it came: its bytes, who sent it, and the address of the server that it came to. */
export type Asked = {
  readonly request: Request;
  readonly bytes: Uint8Array;
  readonly peer: Peer;
  readonly via: Via;
};

/** The way back to a client. */
export type Via = {
  readonly address: Ipv4;
  /** Answers without a transfer, from the port that the request came to. */
  reply(packet: Buffer, peer: Peer): void;
  /** Opens the port of a transfer. */
  openPort(peer: Peer, receiver: Receiver): Promise<TransferPort>;
};

/** The thread pool has four threads; more look-ups at once than keep them busy gain nothing. */
const LOOK_UPS_AT_ONCE = 32;
const LOOK_UPS_WAITING = 512;

/** Answers the requests that a server is sent. */
export class Requests {
  readonly #options: RequestsOptions;
  readonly #admission = new Admission();
  readonly #lookUps = new LookUps(LOOK_UPS_AT_ONCE, LOOK_UPS_WAITING);
  readonly #pool = new ChunkPool();
  /** Requests that are being answered, each with what settles at its end. */
  readonly #answering = new Map<Session, Promise<void>>();
  #sent = 0;
  #bytesSent = 0;

  constructor(options: RequestsOptions) {
    this.#options = options;
  }

  /** Requests being answered, those of them whose clients have acknowledged nothing yet, and the whole files sent. */
  get gauges() {
    const { size, unheard } = this.#admission;
    return { transfers: size, unheard, sent: this.#sent, bytesSent: this.#bytesSent };
  }

  /**
   * The whole way of a request: a place for it, its file and the terms of its transfer, the transfer, the report. Rejects for a
   * mistake of ours alone.
   */
  async answer(asked: Asked): Promise<void> {
    const session = this.#admit(asked);
    if (session === undefined) return;

    const { promise, resolve } = Promise.withResolvers<void>();
    this.#answering.set(session, promise);
    try {
      const result = await this.#serve(asked, session).catch((error: Error) => couldNotRead(error, asked));
      if (result.kind === 'sent') this.#count(result);
      const { ip } = asked.peer;
      const { known, facts = {} } = session;
      this.#options.reports.ended({ ip, known, file: asked.request.file, facts, result }, performance.now());
    } finally {
      this.#admission.close(session);
      this.#answering.delete(session);
      resolve();
    }
  }

  /** Ends all transfers from an address with an ERROR to their clients. */
  async end(address: Ipv4, reason: string): Promise<void> {
    const here = [...this.#answering].filter(([{ at }]) => at === address);
    for (const [session] of here) cancel(session, reason, 'with ERROR');
    await Promise.all(here.map(([, ended]) => ended));
  }

  /** The place of a new request. None is given to one that came before, is refused, or has no room now. */
  #admit({ request, bytes, peer, via }: Asked): Session | undefined {
    const { isKnown, limits, replies, reports } = this.#options;
    const now = performance.now();
    const known = isKnown(peer.ip);
    // The bytes that came may be a view of a larger buffer, which a session would keep.
    const incoming: Incoming = { at: via.address, peer, request: Buffer.from(bytes), known };

    const former = this.#admission.repeated(incoming, now);
    if (former !== undefined) {
      if (!former.heard && replies.take(peer.ip, known, now)) former.delivery?.repeat();
      return undefined;
    }
    const bounds = limits();
    // No answer to one request too many: clients ask again after a second or so, whereas an error would end their boot.
    if (!this.#admission.hasRoom(incoming, bounds, now) || !replies.take(peer.ip, known, now)) {
      reports.unanswered(peer.ip);
      return undefined;
    }
    const refusal = refusalOf(request);
    if (refusal !== undefined) {
      via.reply(encodeError(refusal.code, refusal.message), peer);
      const result: RequestResult = { kind: 'failed', reason: refusal.message, bytes: 0 };
      reports.ended({ ip: peer.ip, known, file: request.file, facts: {}, result }, now);
      return undefined;
    }
    return this.#admission.open(incoming, bounds, now);
  }

  /** From the look-up of the file to the last acknowledgement. */
  async #serve(asked: Asked, session: Session): Promise<RequestResult> {
    const opened = await this.#lookUps.run({
      known: session.known,
      isStale: () => session.cancelled !== undefined,
      work: () => this.#open(asked, session),
    });
    if (session.cancelled !== undefined) {
      if (opened !== undefined && opened !== 'missing') await opened.content.close();
      return { kind: 'failed', reason: session.cancelled, bytes: 0 };
    }
    if (opened === undefined) return { kind: 'unanswered', reason: 'busy' };
    if (opened !== 'missing') return this.#transfer(opened, asked, session);
    asked.via.reply(encodeError(ERROR.NOT_FOUND, 'file not found'), asked.peer);
    return { kind: 'missing' };
  }

  /** Finds and opens the file, and settles the terms. */
  async #open({ request, peer }: Asked, session: Session): Promise<Opened | 'missing'> {
    const { source, mtu, files } = this.#options;
    const name = cleanName(request.file);
    const found = name === undefined ? undefined : await source(name, peer.ip);
    if (found === undefined) return 'missing';
    session.facts = factsOf(found);
    const content = await openContent(found, request.mode === 'netascii' ? 'netascii' : 'octet', files);
    if (content === undefined) return 'missing';
    try {
      const terms = negotiate(request.options, { size: content.size, mtu, windowBytes: CHUNK_BYTES / 2 });
      return terms.accepted.length > 0
        ? { content, terms }
        : { content, terms, first: await firstBlock(content, terms) };
    } catch (error) {
      await content.close();
      throw error;
    }
  }

  /** Sends the file from a port of its own, or from the listening one. */
  async #transfer(opened: Opened, { peer, via }: Asked, session: Session): Promise<RequestResult> {
    let delivery: Delivery | undefined;
    let port: TransferPort;
    try {
      port = await via.openPort(peer, {
        onPacket: (packet) => delivery?.receive(packet),
        onTrouble: (error) => delivery?.fail(error.message),
      });
    } catch (error) {
      await opened.content.close();
      const { code, message } = error as NodeJS.ErrnoException;
      return isShortage(code) ? SHORT : { kind: 'failed', reason: `no port to answer from: ${message}`, bytes: 0 };
    }
    try {
      const { faulted } = this.#options;
      const onHeard = () => this.#hear(session);
      delivery = new Delivery({ ...opened, port, pool: this.#pool, onHeard, faulted });
      session.delivery = delivery;
      if (session.cancelled === undefined) delivery.start();
      else delivery.fail(session.cancelled);
      return await delivery.ended;
    } catch (error) {
      if (delivery === undefined) await opened.content.close();
      else delivery.fail('an exception in the server');
      throw error;
    } finally {
      await port.close();
    }
  }

  /** The client acknowledged for the first time; false if there is no room for it. */
  #hear(session: Session): boolean {
    const { limits, replies } = this.#options;
    if (!this.#admission.hear(session, limits(), performance.now())) return false;
    replies.heard(session.peer.ip);
    return true;
  }

  #count({ bytes }: RequestResult & { kind: 'sent' }): void {
    this.#sent++;
    this.#bytesSent += bytes;
  }
}

/** What the first packet is made of. `first` is block 1 where the transfer begins with it, and absent before an OACK. */
type Opened = { readonly content: Content; readonly terms: Terms; readonly first?: Uint8Array };

async function firstBlock({ size, fill }: Content, { blockSize }: Terms): Promise<Uint8Array> {
  const block = Buffer.allocUnsafeSlow(Math.min(blockSize, size ?? blockSize));
  const got = await fill(block);
  if (size !== undefined && got < block.length) throw new Error(SHORTENED);
  return block.subarray(0, got);
}

/** The system refuses to open a file or a socket now, and may allow it soon. */
const SHORT: RequestResult = { kind: 'unanswered', reason: 'descriptors' };
const SHORTAGES = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'ENOBUFS', 'EAGAIN']);

function isShortage(code: string | undefined): boolean {
  return code !== undefined && SHORTAGES.has(code);
}

function couldNotRead({ code, message }: NodeJS.ErrnoException, { via, peer }: Asked): RequestResult {
  // An ERROR is final for the client. Without an answer it asks again, when there may be a descriptor for it.
  if (isShortage(code)) return SHORT;
  via.reply(encodeError(ERROR.UNDEFINED, 'the server failed to read the file'), peer);
  return { kind: 'failed', reason: message, bytes: 0 };
}
