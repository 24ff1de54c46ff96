import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { ReveilleError } from '../errors.ts';
import { holdRack } from './hold.ts';

// Holds what never stands: `sleep` runs in its stead, and its end is the end of the setting up. Prints the pid of the
// sleeper. With a second argument nobody wants the rack any more.
const [state = '', unwanted] = process.argv.slice(2);
await holdRack(
  { site: '/a/site', state },
  async (tell) => {
    const sleeper = spawn('setpriv', ['--pdeathsig', 'KILL', 'sleep', '1000']);
    tell('fetching the moon');
    console.log(sleeper.pid);
    await once(sleeper, 'exit');
    throw new ReveilleError('LAB_FAILED', 'the sleeper ended');
  },
  { onUp: () => {}, unwanted: unwanted ? AbortSignal.abort() : new AbortController().signal },
).catch((error: Error) => console.log(error.message));
