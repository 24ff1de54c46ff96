import { cleanName } from '../boot/confine.ts';
import type { FileSource } from '../boot/source.ts';
import { type Ipv4, parseIpv4, UNSPECIFIED } from '../net/ipv4.ts';
import type { EventSink } from '../timeline/event.ts';
import type { Ticket } from './admission.ts';
import { CHUNK_BYTES, type ChunkPool } from './blocks.ts';
import { openContent } from './content.ts';
import { Delivery, type Outcome } from './delivery.ts';
import { negotiate } from './negotiate.ts';
import type { Inlet, Outlet } from './outlet.ts';
import { ERROR, encodeError, printable, type Request } from './packet.ts';

/** What serving a request needs. `refuse` answers without a transfer, at once; `openOutlet` begins one. */
export type Service = {
  readonly source: FileSource;
  readonly events: EventSink;
  readonly mtu: number;
  readonly pool: ChunkPool;
  readonly refuse: (packet: Buffer) => void;
  readonly openOutlet: (inlet: Inlet) => Promise<Outlet>;
};

/** Why a request gets no file: an error for the client, and for the timeline unless the file is merely missing. */
type Refusal = { readonly code: number; readonly message: string };

/** Serves one request from the look-up of its file to the last acknowledgement; returns the bytes sent. Never rejects. */
export async function serve(request: Request, ticket: Ticket, service: Service): Promise<Outcome> {
  const file = printable(cleanName(request.file) ?? request.file);
  const ip: Ipv4 = parseIpv4(ticket.peer.address) ?? UNSPECIFIED;
  const outcome = await attempt(request, ip, ticket, service).catch((error: Error): Outcome => {
    service.refuse(encodeError(ERROR.UNDEFINED, 'the server failed to read the file'));
    return { kind: 'failed', reason: error.message, bytes: 0 };
  });
  switch (outcome.kind) {
    case 'sent':
      service.events({ kind: 'tftp.sent', ip, file, bytes: outcome.bytes, ms: outcome.ms });
      break;
    case 'missing':
      service.events({ kind: 'tftp.missing', ip, file });
      break;
    case 'failed':
      service.events({ kind: 'tftp.failed', ip, file, reason: outcome.reason, bytes: outcome.bytes });
      break;
    case 'probed':
      break;
  }
  return outcome;
}

async function attempt(request: Request, ip: Ipv4, ticket: Ticket, service: Service): Promise<Outcome> {
  const name = cleanName(request.file);
  const refusal = refusalOf(request, name);
  if (refusal !== undefined || name === undefined) {
    const { code, message } = refusal ?? NOT_ALLOWED;
    service.refuse(encodeError(code, message));
    return { kind: 'failed', reason: message, bytes: 0 };
  }
  const found = await service.source(name, ip);
  const mode = request.mode === 'netascii' ? 'netascii' : 'octet';
  const content = found === undefined ? undefined : await openContent(found, mode);
  if (content === undefined) {
    service.refuse(encodeError(ERROR.NOT_FOUND, 'file not found'));
    return { kind: 'missing' };
  }
  let delivery: Delivery | undefined;
  let outlet: Outlet;
  try {
    outlet = await service.openOutlet({
      onPacket: (packet) => delivery?.receive(packet),
      onTrouble: (error) => delivery?.fail(error.message),
    });
  } catch (error) {
    await content.close();
    throw error;
  }
  const bounds = { size: content.size, mtu: service.mtu, windowBytes: CHUNK_BYTES / 2 };
  delivery = new Delivery(content, negotiate(request.options, bounds), outlet, service.pool);
  ticket.delivery = delivery;
  if (ticket.cancelled === undefined) delivery.start();
  else delivery.abort(ticket.cancelled);
  const outcome = await delivery.ended;
  await outlet.close();
  return outcome;
}

const NOT_ALLOWED: Refusal = { code: ERROR.ACCESS, message: 'access denied: the name leaves the boot files' };

function refusalOf(request: Request, name: string | undefined): Refusal | undefined {
  if (request.kind === 'wrq') return { code: ERROR.ACCESS, message: 'access denied: this server is read-only' };
  if (request.mode !== 'octet' && request.mode !== 'netascii') {
    return { code: ERROR.ILLEGAL, message: `mode ${printable(request.mode).slice(0, 20)} is not supported` };
  }
  return name === undefined ? NOT_ALLOWED : undefined;
}
