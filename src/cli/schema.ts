import { Argument, Command } from 'commander';
import { openApi } from '../http/contracts/openApi.ts';
import { jsonSchema, SCHEMAS, type SchemaName } from '../site/jsonSchema.ts';
import { jsonText } from './print.ts';

const HELP = `
Example:
  reveille schema site > site.schema.json
  reveille schema image > image.schema.json
  reveille schema api > openapi.json
Then write as the first line of site.yaml, for editors that know yaml-language-server:
  # yaml-language-server: $schema=site.schema.json`;

const API = 'api';

/** `reveille schema`: the JSON Schema by which editors complete and check the site's files; the OpenAPI document of the API. */
export function schemaCommand(): Command {
  return new Command('schema')
    .description(
      'print the JSON Schema of site.yaml, of an image recipe or of a profile, for editors, or the OpenAPI document of the API',
    )
    .addArgument(new Argument('[of]', 'a kind of file, or api').choices([...Object.keys(SCHEMAS), API]).default('site'))
    .addHelpText('after', HELP)
    .action((name: SchemaName | typeof API) => console.log(jsonText(name === API ? openApi() : jsonSchema(name))));
}
