import { readCloud } from '../../src/cloud/clouds.ts';
import { type Call, openSession, type ServiceType } from '../../src/cloud/session.ts';

// One call of the lab cloud's API, from inside the rack where the controller is reached: clouds.yaml, service, path, call.

const [cloudsFile = '', service, path = '', call = '{}'] = process.argv.slice(2);
const session = openSession(await readCloud('lab', [cloudsFile]));
const answer = await session.call(service as ServiceType, path, JSON.parse(call) as Call);
console.log(JSON.stringify(answer ?? null));
