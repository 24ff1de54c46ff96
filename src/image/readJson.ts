import type { z } from 'zod';

/** A JSON text's value, held against a schema; `undefined` if it is no JSON or has another form. */
export function readJson<T>(schema: z.ZodType<T>, text: string): T | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return schema.safeParse(value).data;
}
