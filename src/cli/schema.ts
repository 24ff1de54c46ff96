import { Argument, Command } from 'commander';
import { jsonSchema, SCHEMAS, type SchemaName } from '../site/jsonSchema.ts';
import { jsonText } from './print.ts';

const HELP = `
Example:
  reveille schema site > site.schema.json
  reveille schema image > image.schema.json
Then write as the first line of site.yaml, for editors that know yaml-language-server:
  # yaml-language-server: $schema=site.schema.json`;

/** `reveille schema`: the JSON Schema by which editors complete and check the site's files. */
export function schemaCommand(): Command {
  return new Command('schema')
    .description('print the JSON Schema of site.yaml, of an image recipe or of a profile, for editors')
    .addArgument(new Argument('[file]', 'which kind of file').choices(Object.keys(SCHEMAS)).default('site'))
    .addHelpText('after', HELP)
    .action((name: SchemaName) => console.log(jsonText(jsonSchema(name))));
}
