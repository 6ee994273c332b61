/**
 * The registers that the stub shows, and the target description (GDB manual, appendix G) that tells a debugger about
 * them. Descriptions are fixed for a connection, so this is the 64-bit superset in every processor mode. Names and
 * order of the first 66 follow QEMU's i386-64bit description; the system feature after them is our own, then come gdb's names for AVX.
 */
import { type BitField, registerBits } from './register-bits.ts';

export type RegisterGroup = 'general' | 'segment' | 'control' | 'system' | 'debug' | 'float' | 'vector';

export interface RegisterDescription {
  readonly name: string;
  /** Width in bits, a multiple of 8. */
  readonly bits: number;
  /** Type in the words of the target description. */
  readonly type: string;
  readonly group: RegisterGroup;
  /** Number in `p` and `P` packets, and position in `g`. */
  readonly regnum: number;
  /** Byte offset in the `g` packet. */
  readonly offset: number;
  readonly feature: string;
}

type Shape = Omit<RegisterDescription, 'regnum' | 'offset' | 'feature'>;

const CORE = 'org.gnu.gdb.i386.core';
const SSE = 'org.gnu.gdb.i386.sse';
const AVX = 'org.gnu.gdb.i386.avx';
const SEGMENTS = 'org.gnu.gdb.i386.segments';
const SYSTEM = 'org.ringside.x86.system';

const shape = (bits: number, type: string, group: RegisterGroup, names: readonly string[]): Shape[] =>
  names.map((name) => ({ name, bits, type: registerBits.has(name) ? `x64_${name}` : type, group }));

const numbered = (prefix: string, first: number, last: number): string[] =>
  Array.from({ length: last - first + 1 }, (_, index) => `${prefix}${first + index}`);

/** A segment's hidden part; `attr` is in the layout of the VMX access-rights field (Intel SDM vol. 3C 24.4.1). */
const hidden = (segment: string, base: boolean): Shape[] => [
  ...(base ? shape(64, 'int64', 'segment', [`${segment}_base`]) : []),
  ...shape(32, 'int32', 'segment', [`${segment}_limit`, `${segment}_attr`]),
];

const features: readonly (readonly [feature: string, registers: readonly Shape[]])[] = [
  [
    CORE,
    [
      ...shape(64, 'int64', 'general', ['rax', 'rbx', 'rcx', 'rdx', 'rsi', 'rdi']),
      ...shape(64, 'data_ptr', 'general', ['rbp', 'rsp']),
      ...shape(64, 'int64', 'general', numbered('r', 8, 15)),
      ...shape(64, 'code_ptr', 'general', ['rip']),
      ...shape(32, 'int32', 'general', ['eflags']),
      ...shape(32, 'int32', 'segment', ['cs', 'ss', 'ds', 'es', 'fs', 'gs']),
    ],
  ],
  [SEGMENTS, shape(64, 'int64', 'segment', ['fs_base', 'gs_base'])],
  [CORE, shape(64, 'int64', 'segment', ['k_gs_base'])],
  [CORE, shape(64, 'int64', 'control', ['cr0', 'cr2', 'cr3', 'cr4', 'cr8', 'efer'])],
  [
    CORE,
    [
      ...shape(80, 'i387_ext', 'float', numbered('st', 0, 7)),
      ...shape(32, 'int', 'float', ['fctrl', 'fstat', 'ftag', 'fiseg', 'fioff', 'foseg', 'fooff', 'fop']),
    ],
  ],
  [SSE, [...shape(128, 'vec128', 'vector', numbered('xmm', 0, 15)), ...shape(32, 'int32', 'vector', ['mxcsr'])]],
  [
    SYSTEM,
    [
      ...['gdtr', 'idtr'].flatMap((table) => [
        ...shape(64, 'int64', 'system', [`${table}_base`]),
        ...shape(32, 'int32', 'system', [`${table}_limit`]),
      ]),
      ...['ldtr', 'tr'].flatMap((segment) => [
        ...shape(32, 'int32', 'system', [segment]),
        ...hidden(segment, true).map((register) => ({ ...register, group: 'system' as const })),
      ]),
      ...['cs', 'ss', 'ds', 'es'].flatMap((segment) => hidden(segment, true)),
      ...['fs', 'gs'].flatMap((segment) => hidden(segment, false)),
      ...shape(64, 'int64', 'debug', ['dr0', 'dr1', 'dr2', 'dr3', 'dr6', 'dr7']),
      ...shape(64, 'int64', 'control', ['xcr0']),
    ],
  ],
  // The upper halves, which gdb puts together with xmm0 to xmm15; zero on a processor without AVX.
  [AVX, numbered('ymm', 0, 15).flatMap((name) => shape(128, 'uint128', 'vector', [`${name}h`]))],
];

/** Every register, in `g` packet order. */
export const registers: readonly RegisterDescription[] = number(features);

/** The same by name. */
export const registersByName: ReadonlyMap<string, RegisterDescription> = new Map(
  registers.map((register) => [register.name, register]),
);

/** Bytes of a whole `g` packet before hex encoding. */
export const registerFileBytes = registers.reduce((sum, { bits }) => sum + bits / 8, 0);

function number(list: typeof features): RegisterDescription[] {
  let offset = 0;
  return list
    .flatMap(([feature, shapes]) => shapes.map((register) => ({ ...register, feature })))
    .map((register, regnum) => {
      const numbered = { ...register, regnum, offset };
      offset += register.bits / 8;
      return numbered;
    });
}

/** The document behind `qXfer:features:read:target.xml`. */
export function targetXml(): string {
  const names = [...new Set(registers.map(({ feature }) => feature))];
  return [
    '<?xml version="1.0"?>',
    '<!DOCTYPE target SYSTEM "gdb-target.dtd">',
    '<target version="1.0">',
    '<architecture>i386:x86-64</architecture>',
    ...names.flatMap((name) => featureXml(name)),
    '</target>',
    '',
  ].join('\n');
}

function featureXml(feature: string): string[] {
  const members = registers.filter((register) => register.feature === feature);
  const flagged = members.filter(({ name }) => registerBits.has(name));
  return [
    `<feature name="${feature}">`,
    ...(feature === SSE ? VECTOR_TYPES : []),
    ...flagged.flatMap(({ name, bits }) => flagsXml(name, bits, registerBits.get(name) ?? [])),
    ...members.map(
      ({ name, bits, type, regnum, group }) =>
        `<reg name="${name}" bitsize="${bits}" type="${type}" regnum="${regnum}" group="${group}"/>`,
    ),
    '</feature>',
  ];
}

/** A field of one bit shows its name when it is set; a wider one its value. */
function flagsXml(name: string, width: number, fields: readonly BitField[]): string[] {
  const kind = ({ low, high }: BitField) => (low === high ? 'bool' : `uint${width}`);
  return [
    `<flags id="x64_${name}" size="${width / 8}">`,
    ...fields.map(
      (field) => `<field name="${field.name}" start="${field.low}" end="${field.high}" type="${kind(field)}"/>`,
    ),
    '</flags>',
  ];
}

const VECTOR_TYPES: readonly string[] = [
  '<vector id="v4f" type="ieee_single" count="4"/>',
  '<vector id="v2d" type="ieee_double" count="2"/>',
  '<vector id="v16i8" type="int8" count="16"/>',
  '<vector id="v8i16" type="int16" count="8"/>',
  '<vector id="v4i32" type="int32" count="4"/>',
  '<vector id="v2i64" type="int64" count="2"/>',
  '<union id="vec128">',
  '<field name="v4_float" type="v4f"/>',
  '<field name="v2_double" type="v2d"/>',
  '<field name="v16_int8" type="v16i8"/>',
  '<field name="v8_int16" type="v8i16"/>',
  '<field name="v4_int32" type="v4i32"/>',
  '<field name="v2_int64" type="v2i64"/>',
  '<field name="uint128" type="uint128"/>',
  '</union>',
];
