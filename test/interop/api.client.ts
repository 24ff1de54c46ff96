import { request } from 'node:http';

// A client that knows of the API only what its OpenAPI document says.

type Schema = { readonly [key: string]: unknown };
export type Parameter = {
  readonly name: string;
  readonly in: string;
  readonly required: boolean;
  readonly schema: Schema;
};
export type Operation = {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly Parameter[];
  readonly body: Schema | undefined;
  /** The statuses that the document says. */
  readonly statuses: readonly string[];
  readonly isStream: boolean;
};
export type Asked = {
  readonly path?: Readonly<Record<string, unknown>>;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly body?: unknown;
};
export type Answered = { readonly status: number; readonly text: string };

type Document = {
  readonly paths: Record<string, Record<string, Record<string, unknown>>>;
  readonly components: { readonly schemas: Record<string, Schema> };
};

export class ApiClient {
  readonly document: Document;
  readonly operations: readonly Operation[];
  readonly #at: { readonly host: string; readonly port: number };

  constructor(document: Document, at: { readonly host: string; readonly port: number }) {
    this.document = document;
    this.#at = at;
    this.operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => operationOf(path, method, operation)),
    );
  }

  /** Reads the document of the server there. */
  static async of(at: { readonly host: string; readonly port: number }): Promise<ApiClient> {
    const { text } = await send({ ...at, method: 'GET', path: '/api/v1/openapi.json' });
    return new ApiClient(JSON.parse(text) as Document, at);
  }

  operation(id: string): Operation {
    const found = this.operations.find((one) => one.id === id);
    if (!found) throw new Error(`the document has no operation ${id}`);
    return found;
  }

  /** Calls an operation with a token, from an address of this machine. Of an answer that goes on, what comes first. */
  async call(id: string, asked: Asked, token: string, localAddress?: string): Promise<Answered> {
    const { method, path, body, isStream } = this.operation(id);
    const filled = path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(String(asked.path?.[name] ?? '')));
    const query = new URLSearchParams(Object.entries(asked.query ?? {}).map(([name, value]) => [name, String(value)]));
    const options = {
      ...this.#at,
      method: method.toUpperCase(),
      path: query.size === 0 ? filled : `${filled}?${query}`,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(localAddress === undefined ? {} : { localAddress }),
    };
    return send(options, body === undefined ? undefined : JSON.stringify(asked.body ?? {}), isStream);
  }
}

function operationOf(path: string, method: string, of: Record<string, unknown>): Operation {
  const content = (of.requestBody as { content?: Record<string, { schema: Schema }> } | undefined)?.content;
  const responses = of.responses as Record<string, { content?: object }>;
  return {
    id: String(of.operationId),
    method,
    path,
    parameters: (of.parameters as readonly Parameter[] | undefined) ?? [],
    body: content?.['application/json']?.schema,
    statuses: Object.keys(responses),
    isStream: 'application/x-ndjson' in (responses['200']?.content ?? {}),
  };
}

function send(options: object, body?: string, isStream = false): Promise<Answered> {
  const { promise, resolve, reject } = Promise.withResolvers<Answered>();
  const sent = request({ ...options, timeout: 20_000 }, (response) => {
    const status = response.statusCode ?? 0;
    let text = '';
    response.setEncoding('utf8').on('data', (piece) => {
      text += piece;
    });
    response.on('error', () => {}).on('close', () => resolve({ status, text }));
    if (isStream && status === 200) setTimeout(() => sent.destroy(), 20);
  });
  sent.on('timeout', () => sent.destroy(new Error(`no answer: ${JSON.stringify(options)} ${body}`)));
  sent.on('error', reject).end(body);
  return promise;
}
