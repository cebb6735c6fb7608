import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describeWithServers, TestService } from './environment';

/** A call that was made once, and how it has to end. */
interface SavedCall {
  action: string;
  path: string;
  input: unknown;
  session_variables: Record<string, string>;
  /** Without success that is not looked at. */
  expect: { status: number; success?: boolean };
}

// nself action replay --save-test puts calls there.
const folder = join(__dirname, 'calls');
const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')) : [];
const describeCalls = files.length > 0 ? describeWithServers : describe.skip;

describeCalls('saved calls', () => {
  it.each(files.length > 0 ? files : ['none yet'])('%s', async (file) => {
    const call = JSON.parse(readFileSync(join(folder, file), 'utf8')) as SavedCall;
    const service = await TestService.start();
    try {
      const { status, body } = await service.post(call.path, {
        action: { name: call.action },
        input: call.input,
        session_variables: call.session_variables,
        request_query: '',
      });
      expect({ status, body }).toMatchObject({ status: call.expect.status });
      if (call.expect.success !== undefined) {
        expect(body).toMatchObject({ success: call.expect.success });
      }
    } finally {
      await service.stop();
    }
  });
});
