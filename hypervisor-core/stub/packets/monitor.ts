/** `qRcmd`: the commands behind gdb's `monitor`. */
import { hexToBytes } from '../../protocol/rsp.ts';
import { monitorCommands } from '../monitor/commands.ts';
import { malformed, type PacketHandler } from '../packet.ts';

const command: PacketHandler = {
  name: 'qRcmd',
  async handle(client, rest) {
    const bytes = hexToBytes(rest.slice(1));
    if (!bytes) throw malformed('qRcmd');
    const text = Buffer.from(bytes).toString('utf8').trim().replaceAll(/\s+/g, ' ');
    // A format may stand at once behind the name: `xp/4gx`.
    const found = monitorCommands.find(
      ({ name }) => text.startsWith(name) && ['', ' ', '/'].includes(text.charAt(name.length)),
    );
    client.print(
      found
        ? await found.run(client, text.slice(found.name.length).trim())
        : `unknown command: ${text}\nTry "monitor help".\n`,
    );
    return 'OK';
  },
};

export const monitorPackets: readonly PacketHandler[] = [command];
