import type { FastifyInstance } from 'fastify';
import type { ApiTokens } from '../access/apiTokens.ts';
import { ON_SOCKET } from './caller.ts';
import { CREATE_TOKEN, LIST_TOKENS, REVOKE_TOKEN, WHO_AM_I } from './contracts/tokens.ts';
import { serveJson } from './serveRoute.ts';

/** What admins ask of the API's tokens, and everyone of their own. */
export function addTokenRoutes(app: FastifyInstance, tokens: Pick<ApiTokens, 'list' | 'create' | 'revoke'>): void {
  serveJson(app, LIST_TOKENS, () => tokens.list());
  serveJson(app, CREATE_TOKEN, async ({ body: { name, role, expiresAt } }) => {
    const token = await tokens.create(name, role, expiresAt ?? null);
    return { name, role, token };
  });
  serveJson(app, REVOKE_TOKEN, ({ params: { name } }) => tokens.revoke(name));
  serveJson(app, WHO_AM_I, (_, caller) => {
    const { name, role } = caller ?? ON_SOCKET;
    return { name, role };
  });
}
