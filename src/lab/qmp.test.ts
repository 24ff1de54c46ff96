import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { openMonitor } from './qmp.ts';

/** A monitor with a QEMU whose answers the test sets. */
function monitorOf(answer: (command: string) => object) {
  const input = new PassThrough();
  const output = new PassThrough();
  output.write('{"QMP": {"version": {}}}\r\n');
  input.on('data', (line: Buffer) => {
    const { execute } = JSON.parse(line.toString()) as { execute: string };
    const text = `{"event": "RESUME"}\r\n${JSON.stringify(answer(execute))}\r\n`;
    // In two pieces, as pipes may deliver it.
    output.write(text.slice(0, 9));
    output.write(text.slice(9));
  });
  return { monitor: openMonitor(input, output), output };
}

test('commands are settled by their own answers, events between them apart', async () => {
  const heard: string[] = [];
  const { monitor } = monitorOf((command) => {
    heard.push(command);
    return { return: {} };
  });
  await monitor.run('system_reset');
  await monitor.run('quit');
  assert.deepEqual(heard, ['qmp_capabilities', 'system_reset', 'quit']);
});

test('a refusal has QEMU`s words', async () => {
  const { monitor } = monitorOf((command) =>
    command === 'quit' ? { error: { class: 'GenericError', desc: 'not now' } } : { return: {} },
  );
  await assert.rejects(monitor.run('quit'), { code: 'LAB_FAILED', message: /not now/ });
  await monitor.run('system_reset');
});

test('a QEMU that ends fails what waits and what comes', async () => {
  const output = new PassThrough();
  const monitor = openMonitor(new PassThrough(), output);
  const waiting = monitor.run('quit');
  output.destroy();
  await assert.rejects(waiting, { code: 'LAB_FAILED' });
  await assert.rejects(monitor.run('quit'), { code: 'LAB_FAILED' });
});
