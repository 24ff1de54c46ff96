import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { refuse } from './answer.ts';
import { BootFiles, type BootFilesFrom, type BootGauges, type FileExchange } from './bootFiles.ts';
import { peerOf } from './peer.ts';
import { sendBytes } from './sendBytes.ts';

export type BootRoutesFrom = BootFilesFrom & {
  /** A transfer that moves no byte for so long is given up. */
  readonly stallMs: number;
};

/**
 * Two pieces are held for each download. Those that fit in the processor's cache are fastest; smaller ones keep a thousand
 * downloads from filling the memory.
 */
const LARGE_PIECE = 256 * 1024;
const SMALL_PIECE = 64 * 1024;
const FEW_DOWNLOADS = 32;

type BootRequest = FastifyRequest<{ Params: { '*': string } }>;

/** `/boot/*` by GET and HEAD: what `bootFiles` has under that name. */
export function addBootRoutes(app: FastifyInstance, from: BootRoutesFrom): { gauges(): BootGauges } {
  const files = new BootFiles(from);
  app.route<{ Params: { '*': string } }>({
    method: ['GET', 'HEAD'],
    url: '/boot/*',
    handler: async (request, reply) => {
      await files.answer(exchangeOf(request, reply, from.stallMs));
      return reply;
    },
  });
  return files;
}

function exchangeOf(request: BootRequest, reply: FastifyReply, stallMs: number): FileExchange {
  const { raw } = reply;
  return {
    ip: peerOf(request),
    asked: request.params['*'],
    method: request.method,
    headers: request.headers,
    refuse: (error) => void refuse(reply, error),
    cut: (reason) => raw.destroy(new Error(reason)),
    async send({ status, headers, sends }, body, { running, sent }) {
      reply.hijack();
      raw.writeHead(status, headers);
      if (sends) {
        const pieceBytes = running <= FEW_DOWNLOADS ? LARGE_PIECE : SMALL_PIECE;
        return sendBytes(raw, body, sends, { stallMs, pieceBytes, sent });
      }
      raw.end();
      return { kind: 'sent', bytes: 0, ms: 0 };
    },
  };
}
