/** A page fault in words, as its handler finds it: Intel SDM vol. 3A 4.7. */
import { hex } from '../../hypervisor-core/protocol/hex.ts';
import { fromLittleEndian, type StopState } from './stop-state.ts';

const PRESENT = 1n;
const WRITE = 2n;
const USER = 4n;
const RESERVED = 8n;
const FETCH = 16n;

/** What was accessed and why it failed, by CR2 and the error code on the stack; undefined where these cannot be read. */
export async function pageFaultText(state: StopState, thread: number): Promise<string | undefined> {
  const registers = await state.values(thread);
  const [address, stack] = [registers.get('cr2'), registers.get('rsp')];
  if (address === undefined || stack === undefined) return undefined;
  const bytes = await state.read(thread, stack, 8);
  return bytes.length < 8 ? undefined : accessText(address, fromLittleEndian(bytes));
}

export function accessText(address: bigint, code: bigint): string {
  const who = code & USER ? 'User' : 'Supervisor';
  const what = code & FETCH ? 'instruction fetch' : code & WRITE ? 'write' : 'read';
  const why = code & RESERVED ? 'a reserved bit is set' : code & PRESENT ? 'the page forbids it' : 'no page is present';
  return `${who} ${what} at ${hex(address)}: ${why}.`;
}
