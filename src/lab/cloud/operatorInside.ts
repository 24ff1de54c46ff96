import { createInterface } from 'node:readline';
import { readCloud } from '../../cloud/clouds.ts';
import { type CloudSession, openSession } from '../../cloud/session.ts';
import { openShelf } from '../../image/shelf.ts';
import { type CloudResources, consoleOf, instanceOf, launch, makeResources, migrate } from './instances.ts';
import type { Errand, Errands } from './operator.ts';

// Runs inside a rack's namespaces, where the controller is reached: reads orders as JSON lines, prints their results likewise.

const [cloudsFile = '', imagesFolder = ''] = process.argv.slice(2);
const session = openSession(await readCloud('lab', [cloudsFile]));
let resources: CloudResources | undefined;

for await (const line of createInterface({ input: process.stdin })) {
  const errand = JSON.parse(line) as Errand;
  run(errand).then(
    (result) => print({ id: errand.id, result: result ?? null }),
    (error: Error) => print({ id: errand.id, error: error.message }),
  );
}

async function run(errand: Errand): Promise<Errands[keyof Errands]['result'] | undefined> {
  switch (errand.what) {
    case 'resources':
      resources = await makeResourcesFrom(session, errand.image, errand.peers);
      return undefined;
    case 'launch':
      if (!resources) throw new Error('the flavor, network and image have not been made');
      return launch(session, resources, errand.number, errand);
    case 'migrate':
      return migrate(session, errand.instance);
    case 'instance':
      return instanceOf(session, errand.instance);
    case 'console':
      return consoleOf(session, errand.instance);
  }
}

async function makeResourcesFrom(to: CloudSession, name: string, peers: readonly number[]): Promise<CloudResources> {
  const image = await openShelf(imagesFolder).current(name);
  if (!image) throw new Error(`image ${name} is not on the shelf`);
  return makeResources(to, image, peers);
}

function print(answer: object): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
