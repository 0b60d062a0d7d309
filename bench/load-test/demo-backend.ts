/** The embedded demo backend as a program: prints its url, says its tokens as fast as they are taken. */

import { startDemoBackend } from '../../src/node/demo/server.ts';

const { url } = await startDemoBackend({ tokenMs: 0 });
process.stdout.write(`${JSON.stringify({ url })}\n`);
process.stdin.on('end', () => process.exit(0)).resume();
