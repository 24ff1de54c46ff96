import { ReveilleError } from '../../errors.ts';
import { serveInThread } from '../serveInThread.ts';

/** The service of the tests: it repeats what it is sent, and fails as it is asked to. */
export type EchoShape = {
  readonly start: { readonly refuse?: true };
  readonly toThread: { readonly text: string } | { readonly fail: 'contained' | 'thrown' | 'exit' };
  readonly fromThread: { readonly text: string };
  readonly asks: {
    readonly double: { readonly question: number; readonly answer: number };
    readonly never: { readonly question: undefined; readonly answer: undefined };
  };
};

await serveInThread<EchoShape>(async ({ start, events, send }) => {
  if (start.refuse) throw new ReveilleError('PORT_IN_USE', 'the port is held', { hint: 'stop the holder' });
  let received = 0;
  return {
    received(message) {
      received++;
      if ('text' in message) {
        send(message);
        events({ kind: 'server.restarted', service: message.text });
      } else if (message.fail === 'contained') throw new Error('contained');
      else if (message.fail === 'exit') process.exit(3);
      else
        setImmediate(() => {
          throw new Error('thrown');
        });
    },
    answers: {
      double: (number) => {
        if (number < 0) throw new ReveilleError('REQUEST_INVALID', `${number} is negative`);
        return 2 * number;
      },
      never: () => new Promise(() => {}),
    },
    gauges: () => ({ received }),
    close: async () => events({ kind: 'server.restarted', service: 'closed' }),
  };
});
