import { cleanName } from '../boot/confine.ts';
import type { FileSource } from '../boot/source.ts';
import type { FaultSink } from '../faults.ts';
import { factsOf } from '../model/bootFile.ts';
import type { Session } from './admission.ts';
import { CHUNK_BYTES, type ChunkPool, SHORTENED } from './blocks.ts';
import { type Content, openContent } from './content.ts';
import { Delivery, type Outcome } from './delivery.ts';
import type { LookUps } from './lookUps.ts';
import { negotiate, type Terms } from './negotiate.ts';
import type { Inlet, Outlet } from './outlet.ts';
import { ERROR, encodeError, type Request } from './packet.ts';

/** What serving a request needs. `refuse` answers without a transfer, at once; `openOutlet` begins one. */
export type Service = {
  readonly source: FileSource;
  readonly lookUps: LookUps;
  readonly mtu: number;
  readonly pool: ChunkPool;
  readonly refuse: (packet: Buffer) => void;
  readonly openOutlet: (inlet: Inlet) => Promise<Outlet>;
  /** The client acknowledged for the first time; false if there is no room for it. */
  readonly onHeard: () => boolean;
  readonly faulted: FaultSink;
};

/** Serves one request from the look-up of its file to the last acknowledgement. Never rejects. */
export async function serve(request: Request, session: Session, service: Service): Promise<Outcome> {
  try {
    return await attempt(request, session, service);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // An ERROR is final for the client. Without an answer it asks again, when there may be a descriptor for it.
    if (isShortage(code)) return LACKING;
    service.refuse(encodeError(ERROR.UNDEFINED, 'the server failed to read the file'));
    return { kind: 'failed', reason: message, bytes: 0 };
  }
}

const LACKING: Outcome = { kind: 'unanswered', reason: 'descriptors' };

/** Why the system refuses to open a file or a socket now, and may allow it soon. */
const SHORTAGES = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'ENOBUFS', 'EAGAIN']);

function isShortage(code: string | undefined): boolean {
  return code !== undefined && SHORTAGES.has(code);
}

async function attempt(request: Request, session: Session, service: Service): Promise<Outcome> {
  const opened = await service.lookUps.run({
    known: session.known,
    isStale: () => session.cancelled !== undefined,
    work: () => open(request, session, service),
  });
  if (session.cancelled !== undefined) {
    if (opened !== undefined && opened !== 'missing') await opened.content.close();
    return { kind: 'failed', reason: session.cancelled, bytes: 0 };
  }
  if (opened === undefined) return { kind: 'unanswered', reason: 'busy' };
  if (opened === 'missing') {
    service.refuse(encodeError(ERROR.NOT_FOUND, 'file not found'));
    return { kind: 'missing' };
  }
  return deliver(opened, session, service);
}

/** What the first packet is made of. `first` is block 1 where the transfer begins with it, and absent before an OACK. */
type Opened = { readonly content: Content; readonly terms: Terms; readonly first?: Uint8Array };

async function open(request: Request, session: Session, { source, mtu }: Service): Promise<Opened | 'missing'> {
  const name = cleanName(request.file);
  const found = name === undefined ? undefined : await source(name, session.peer.ip);
  if (found === undefined) return 'missing';
  session.facts = factsOf(found);
  const content = await openContent(found, request.mode === 'netascii' ? 'netascii' : 'octet');
  if (content === undefined) return 'missing';
  try {
    const terms = negotiate(request.options, { size: content.size, mtu, windowBytes: CHUNK_BYTES / 2 });
    return terms.accepted.length > 0 ? { content, terms } : { content, terms, first: await firstBlock(content, terms) };
  } catch (error) {
    await content.close();
    throw error;
  }
}

async function firstBlock({ size, fill }: Content, { blockSize }: Terms): Promise<Uint8Array> {
  const block = Buffer.allocUnsafeSlow(Math.min(blockSize, size ?? blockSize));
  const got = await fill(block);
  if (size !== undefined && got < block.length) throw new Error(SHORTENED);
  return block.subarray(0, got);
}

async function deliver(opened: Opened, session: Session, service: Service): Promise<Outcome> {
  const { pool, onHeard, faulted } = service;
  let delivery: Delivery | undefined;
  let outlet: Outlet;
  try {
    outlet = await service.openOutlet({
      onPacket: (packet) => delivery?.receive(packet),
      onTrouble: (error) => delivery?.fail(error.message),
    });
  } catch (error) {
    await opened.content.close();
    const { code, message } = error as NodeJS.ErrnoException;
    return isShortage(code) ? LACKING : { kind: 'failed', reason: `no port to answer from: ${message}`, bytes: 0 };
  }
  try {
    delivery = new Delivery({ ...opened, outlet, pool, onHeard, faulted });
    session.delivery = delivery;
    if (session.cancelled === undefined) delivery.start();
    else delivery.fail(session.cancelled);
    return await delivery.ended;
  } catch (error) {
    if (delivery === undefined) await opened.content.close();
    else delivery.fail('an exception in the server');
    throw error;
  } finally {
    await outlet.close();
  }
}
