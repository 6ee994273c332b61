/**
 * Hyper-V calls: Hypervisor Top Level Functional Specification 6.0b, appendix A and the calls' own chapters. Input is
 * a header of fixed fields and, for rep calls, one element for each repetition.
 */

/** Name and bytes of a field, as it lies in memory or, for fast calls, in RDX, R8 and XMM0 to XMM5 one after another. */
type Field = readonly [name: string, bytes: 1 | 2 | 4 | 8];

export interface HypervCall {
  readonly name: string;
  /** Header fields; names that start with `_` are padding. */
  readonly header: readonly Field[];
  /** Bytes of input and output for each repetition; absent for simple calls. */
  readonly rep?: { readonly input: number; readonly output: number };
  /** A header of variable size follows the fixed one (bits 26:17 of the input value, in 8-byte units). */
  readonly variable?: boolean;
  /** Bytes of output of a simple call. */
  readonly output?: number;
}

const flush: readonly Field[] = [
  ['AddressSpace', 8],
  ['Flags', 8],
];
const sparseSet: readonly Field[] = [
  ['Format', 8],
  ['ValidBankMask', 8],
];
const ipi: readonly Field[] = [
  ['Vector', 4],
  ['TargetVtl', 1],
  ['_', 1],
  ['_', 2],
];
const vp: readonly Field[] = [
  ['PartitionId', 8],
  ['VpIndex', 4],
  ['TargetVtl', 1],
  ['_', 1],
  ['_', 2],
];
const partition: Field = ['PartitionId', 8];

export const hypervCalls: Readonly<Record<number, HypervCall>> = {
  1: { name: 'HvCallSwitchVirtualAddressSpace', header: [['AddressSpace', 8]] },
  2: { name: 'HvCallFlushVirtualAddressSpace', header: [...flush, ['ProcessorMask', 8]] },
  3: {
    name: 'HvCallFlushVirtualAddressList',
    header: [...flush, ['ProcessorMask', 8]],
    rep: { input: 8, output: 0 },
  },
  8: { name: 'HvCallNotifyLongSpinWait', header: [['SpinwaitInfo', 8]] },
  11: { name: 'HvCallSendSyntheticClusterIpi', header: [...ipi, ['ProcessorMask', 8]] },
  12: { name: 'HvCallModifyVtlProtectionMask', header: [partition], rep: { input: 8, output: 0 } },
  13: { name: 'HvCallEnablePartitionVtl', header: [partition] },
  15: { name: 'HvCallEnableVpVtl', header: [partition] },
  17: { name: 'HvCallVtlCall', header: [] },
  18: { name: 'HvCallVtlReturn', header: [] },
  19: { name: 'HvCallFlushVirtualAddressSpaceEx', header: [...flush, ...sparseSet], variable: true },
  20: {
    name: 'HvCallFlushVirtualAddressListEx',
    header: [...flush, ...sparseSet],
    variable: true,
    rep: { input: 8, output: 0 },
  },
  21: { name: 'HvCallSendSyntheticClusterIpiEx', header: [...ipi, ...sparseSet], variable: true },
  64: { name: 'HvCallCreatePartition', header: [['Flags', 8]] },
  70: { name: 'HvCallGetPartitionId', header: [], output: 8 },
  72: { name: 'HvCallDepositMemory', header: [partition], rep: { input: 8, output: 0 } },
  78: { name: 'HvCallCreateVp', header: [partition, ['VpIndex', 4]] },
  80: { name: 'HvCallGetVpRegisters', header: vp, rep: { input: 4, output: 16 } },
  81: { name: 'HvCallSetVpRegisters', header: vp, rep: { input: 32, output: 0 } },
  92: {
    name: 'HvCallPostMessage',
    header: [
      ['ConnectionId', 4],
      ['_', 4],
      ['MessageType', 4],
      ['PayloadSize', 4],
    ],
  },
  93: {
    name: 'HvCallSignalEvent',
    header: [
      ['ConnectionId', 4],
      ['FlagNumber', 2],
      ['_', 2],
    ],
  },
  105: {
    name: 'HvCallPostDebugData',
    header: [
      ['Count', 4],
      ['Options', 4],
    ],
  },
  106: {
    name: 'HvCallRetrieveDebugData',
    header: [
      ['Count', 4],
      ['Options', 4],
      ['Timeout', 8],
    ],
  },
  107: { name: 'HvCallResetDebugSession', header: [['Options', 8]] },
  124: { name: 'HvCallMapDeviceInterrupt', header: [partition] },
  125: { name: 'HvCallUnmapDeviceInterrupt', header: [partition] },
  126: { name: 'HvCallRetargetDeviceInterrupt', header: [partition], variable: true },
  175: { name: 'HvCallFlushGuestPhysicalAddressSpace', header: flush },
  176: { name: 'HvCallFlushGuestPhysicalAddressList', header: flush, rep: { input: 8, output: 0 } },
  32769: { name: 'HvExtCallQueryCapabilities', header: [], output: 8 },
};

/** Names of registers that HvCallGetVpRegisters gives, by number. */
export const HV_REGISTER = {
  hypervisorVersion: 0x100,
  guestOsId: 0x9_0002,
  vpIndex: 0x9_0003,
} as const;

export const STATUS = {
  success: 0,
  invalidHypercallCode: 2,
  invalidHypercallInput: 3,
  invalidAlignment: 4,
  invalidParameter: 5,
  accessDenied: 6,
  invalidConnectionId: 18,
} as const;

export const hypervStatuses: Readonly<Record<number, string>> = {
  0: 'HV_STATUS_SUCCESS',
  2: 'HV_STATUS_INVALID_HYPERCALL_CODE',
  3: 'HV_STATUS_INVALID_HYPERCALL_INPUT',
  4: 'HV_STATUS_INVALID_ALIGNMENT',
  5: 'HV_STATUS_INVALID_PARAMETER',
  6: 'HV_STATUS_ACCESS_DENIED',
  7: 'HV_STATUS_INVALID_PARTITION_STATE',
  8: 'HV_STATUS_OPERATION_DENIED',
  11: 'HV_STATUS_INSUFFICIENT_MEMORY',
  13: 'HV_STATUS_INVALID_PARTITION_ID',
  14: 'HV_STATUS_INVALID_VP_INDEX',
  17: 'HV_STATUS_INVALID_PORT_ID',
  18: 'HV_STATUS_INVALID_CONNECTION_ID',
  19: 'HV_STATUS_INSUFFICIENT_BUFFERS',
};
