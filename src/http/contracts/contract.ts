import type { z } from 'zod';
import type { Role } from '../../access/role.ts';
import type { ErrorCode } from '../../errors.ts';

/** The parts of a request that carry values; each has a schema where a route takes it. */
export type Part = 'params' | 'query' | 'body';

/**
 * What a route of the operators' API takes and answers. The server registers routes by it (`serveRoute`), the command line's client is typed by it
 * (`cli/api.ts`), and the OpenAPI document is made of it.
 */
export type Contract = {
  readonly method: 'GET' | 'POST';
  /** As fastify writes it: `/api/v1/rolls/:id`. */
  readonly path: string;
  /** Its name in the OpenAPI document and in the audit log; never changes. */
  readonly operation: string;
  /** The least role that a token must have for it; `open`: no token is asked for. On the Unix socket everything may be asked. */
  readonly role: Role | 'open';
  /** What it does, in one sentence. */
  readonly summary: string;
  /** Schemas from texts to values; each takes no names but its own. */
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  /** A JSON object. Where nothing in it is required, it may be left out. */
  readonly body?: z.ZodObject;
  /** `json`: one value. `lines`: a stream of values, one a line (NDJSON). */
  readonly form: 'json' | 'lines';
  /** The lines also as server-sent events, which go on with what comes and are resumed by `Last-Event-ID`. */
  readonly streams?: true;
  /** The value, or each line. It transforms nothing, so that a value that fits is the answer. */
  readonly answer: z.ZodType;
  /** The codes with which this route refuses, besides `COMMON_REFUSALS`. */
  readonly refusals: readonly ErrorCode[];
};

export type JsonContract = Contract & { readonly form: 'json' };
export type LinesContract = Contract & { readonly form: 'lines' };

/** Whether a request of a contract changes something: it is recorded who asked for it. */
export function isChange({ method, role }: Contract): boolean {
  return method === 'POST' && role !== 'open' && role !== 'viewer';
}

/** Any route may refuse with these. */
export const COMMON_REFUSALS: readonly ErrorCode[] = ['REQUEST_INVALID', 'SERVER_BUSY', 'SERVER_FAILED'];

/** The values of a request whose contract is not known. */
export type AnyValues = { readonly [part in Part]?: { readonly [name: string]: unknown } };

/** The values of a request by its contract. */
export type ValuesOf<C extends Contract> = AnyValues & {
  readonly [P in Part as C[P] extends z.ZodType ? P : never]: DeepReadonly<z.output<C[P]>>;
};

/** The answer of a contract, or each of its lines. */
export type AnswerOf<C extends Contract> = DeepReadonly<z.output<C['answer']>>;

type Primitive = string | number | boolean | bigint | null | undefined;

type DeepReadonly<T> = T extends Primitive ? T : { readonly [K in keyof T]: DeepReadonly<T[K]> };
