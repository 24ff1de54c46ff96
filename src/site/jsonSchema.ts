import { z } from 'zod';
import { imageSchema } from './imageSchema.ts';
import { profileSchema, siteSchema } from './schema.ts';

/** The kinds of file in a site folder that have a schema. */
export const SCHEMAS = {
  site: { schema: siteSchema, title: 'Reveille site (site.yaml)' },
  image: { schema: imageSchema, title: 'Reveille image recipe (images/NAME.yaml)' },
  profile: { schema: profileSchema, title: 'Reveille profile (profiles/NAME.yaml)' },
} as const;

export type SchemaName = keyof typeof SCHEMAS;

/** The JSON Schema (draft 7) by which editors complete and check a file. */
export function jsonSchema(name: SchemaName): object {
  const { schema, title } = SCHEMAS[name];
  return { title, ...z.toJSONSchema(schema, { io: 'input', target: 'draft-7', unrepresentable: 'any' }) };
}
