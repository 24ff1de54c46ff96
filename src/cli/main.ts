import { CommanderError } from 'commander';
import { foldersLast } from './foldersLast.ts';
import { endUnread } from './lineLog.ts';
import { errorText } from './print.ts';
import { programFor } from './program.ts';

const USAGE = 2;

process.stdout.on('error', endUnread);
try {
  const args = foldersLast(process.argv.slice(2));
  const program = await programFor(args);
  await program.parseAsync(args, { from: 'user' });
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : USAGE;
  } else {
    console.error(`reveille: ${errorText(error)}`);
    process.exitCode = 1;
  }
}
