import { z } from 'zod';
import type { Contract } from './contract.ts';

export const HEALTH = {
  method: 'GET',
  path: '/api/v1/health',
  operation: 'checkHealth',
  role: 'open',
  summary: 'Whether the server serves: its state can be read, and each of its services runs. No details.',
  form: 'json',
  answer: z.object({ ok: z.literal(true) }),
  refusals: [],
} as const satisfies Contract;

export const OPEN_API = {
  method: 'GET',
  path: '/api/v1/openapi.json',
  operation: 'describeApi',
  role: 'open',
  summary: 'This document.',
  form: 'json',
  answer: z.custom<object>((value) => typeof value === 'object' && value !== null).meta({ type: 'object' }),
  refusals: [],
} as const satisfies Contract;
