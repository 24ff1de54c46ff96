import type { FastifyInstance } from 'fastify';

/** Prometheus' text format. */
const TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** `GET /metrics`: for who has a token or, where the site has them open, for everyone. */
export function addMetricsRoute(
  app: FastifyInstance,
  { metrics, metricsAreOpen }: { readonly metrics: () => Promise<string>; readonly metricsAreOpen: () => boolean },
): void {
  const contract = {
    operation: 'readMetrics',
    get role() {
      return metricsAreOpen() ? 'open' : 'viewer';
    },
  } as const;
  app.get('/metrics', { config: { contract } }, async (_, reply) => reply.type(TYPE).send(await metrics()));
}
