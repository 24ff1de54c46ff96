import { z } from 'zod';
import { TOKEN_NAME } from '../../access/apiToken.ts';
import { ROLES } from '../../access/role.ts';
import type { Contract } from './contract.ts';
import { time } from './forms.ts';

const name = z.string().regex(TOKEN_NAME, 'must be a name: letters, digits and . _ @ -, 64 at most');
const role = z
  .enum(ROLES)
  .describe('viewer reads, operator acts on machines too, admin also changes tokens and the site.');

const token = z
  .object({
    name: z.string(),
    role,
    createdAt: time,
    expiresAt: time.nullable().describe('Milliseconds since the epoch; null: it does not expire.'),
    expired: z.boolean(),
  })
  .meta({ id: 'Token', description: 'A token of this API, without its text, which is kept nowhere.' });

export const LIST_TOKENS = {
  method: 'GET',
  path: '/api/v1/tokens',
  operation: 'listTokens',
  role: 'admin',
  summary: 'The tokens of this API, by name.',
  form: 'json',
  answer: z.array(token),
  refusals: ['STATE_UNAVAILABLE'],
} as const satisfies Contract;

export const CREATE_TOKEN = {
  method: 'POST',
  path: '/api/v1/tokens',
  operation: 'createToken',
  role: 'admin',
  summary: 'Makes a token. Its text is in this answer and nowhere else.',
  body: z.strictObject({
    name,
    role,
    expiresAt: z.int().positive().exactOptional().describe('When it expires, in milliseconds since the epoch.'),
  }),
  form: 'json',
  answer: z.object({
    name: z.string(),
    role,
    token: z.string().describe('What a request presents: Authorization: Bearer …'),
  }),
  refusals: ['TOKEN_EXISTS', 'STATE_UNAVAILABLE'],
} as const satisfies Contract;

export const REVOKE_TOKEN = {
  method: 'POST',
  path: '/api/v1/tokens/:name/revoke',
  operation: 'revokeToken',
  role: 'admin',
  summary: 'Ends a token at once, and the streams that were opened with it.',
  params: z.strictObject({ name: z.string().describe('Its name.') }),
  form: 'json',
  answer: token,
  refusals: ['TOKEN_UNKNOWN', 'STATE_UNAVAILABLE'],
} as const satisfies Contract;

export const WHO_AM_I = {
  method: 'GET',
  path: '/api/v1/me',
  operation: 'whoAmI',
  role: 'viewer',
  summary: 'The name and the role of who asks.',
  form: 'json',
  answer: z.object({ name: z.string(), role }),
  refusals: [],
} as const satisfies Contract;
