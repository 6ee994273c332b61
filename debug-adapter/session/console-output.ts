/** The guest's serial port: to the extension's terminal as bytes, or to the debug console as text. */
import { StringDecoder } from 'node:string_decoder';
import { inspect } from '../../hypervisor-core/protocol/inspect.ts';
import type { Area } from './area.ts';
import { text } from './arguments.ts';
import { onlyOurCore } from './errors.ts';
import type { Guest } from './guest.ts';
import type { LaunchArguments } from './launch-arguments.ts';
import type { Session } from './session.ts';

/** Passes on what the guest prints from now on, after what it has printed already. */
export async function followConsole(session: Session, guest: Guest, where: LaunchArguments['console']): Promise<void> {
  const connection = guest.target.inspect;
  if (!connection) return;
  const decoder = new StringDecoder('utf8');
  const pass = (data: string) => {
    if (where === 'integratedTerminal') session.send.ringside('ringside/console', { data });
    else session.print(decoder.write(Buffer.from(data, 'base64')), 'stdout');
  };
  connection.onNotification(inspect.onConsole, ({ data }) => pass(data));
  const { data } = await connection.sendRequest(inspect.consoleHistory);
  if (data !== '') pass(data);
}

export const consoleInput: Area = {
  capabilities: {},
  handlers: {
    'ringside/consoleInput': async (session, args) => {
      const data = text('data', args.data);
      const connection = session.guest.target.inspect;
      if (!connection) throw onlyOurCore('The serial port');
      await connection.sendRequest(inspect.consoleInput, { data });
      return {};
    },
  },
};
