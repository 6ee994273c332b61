/** The parameters of a Hyper-V call in words, for the trace. */
import { hypervCalls } from './hyperv-calls.ts';
import { type HypervInput, headerBytes, inputBytes } from './hyperv-input.ts';

const FAST_REGISTERS_BYTES = 16;

/** `Vector=0xf2, ProcessorMask=0x3` or, for a rep call, its first elements too; empty for a call without parameters. */
export function hypervFields(input: HypervInput): string {
  const call = hypervCalls[input.code];
  if (!call) return '';
  const { parameters } = input;
  let at = 0;
  const fields: string[] = [];
  if (input.fast && inputBytes(call, input) > FAST_REGISTERS_BYTES) fields.push('XMM');
  for (const [name, bytes] of call.header) {
    if (!name.startsWith('_')) fields.push(`${name}=0x${unsigned(parameters, at, bytes).toString(16)}`);
    at += bytes;
  }
  const element = call.rep?.input ?? 0;
  const first = headerBytes(call) + input.variableHeader + element * input.repStart;
  if (element > 0)
    fields.push(`[${input.repStart}]=0x${unsigned(parameters, first, element >= 8 ? 8 : 4).toString(16)}`);
  return fields.join(', ');
}

function unsigned(view: DataView, at: number, bytes: 1 | 2 | 4 | 8): bigint {
  if (bytes === 8) return view.getBigUint64(at, true);
  if (bytes === 4) return BigInt(view.getUint32(at, true));
  return BigInt(bytes === 2 ? view.getUint16(at, true) : view.getUint8(at));
}
