/**
 * Processor features by the names that Linux gives them in /proc/cpuinfo (arch/x86/include/asm/cpufeatures.h), and where
 * CPUID tells of them: Intel SDM vol. 2A, CPUID; AMD APM vol. 3, appendix E.
 */

/** A bit of a CPUID leaf. */
export interface CpuFeature {
  readonly leaf: number;
  readonly index: number;
  readonly register: 'eax' | 'ebx' | 'ecx' | 'edx';
  readonly bit: number;
}

/** Features, by name, that a guest shall not see, or shall see where the host's rules would hide them. */
export interface CpuChanges {
  readonly hide: readonly string[];
  readonly expose: readonly string[];
}

/** Names from bit 0 on; a dash where Linux has none. */
const registers: readonly (readonly [leaf: number, index: number, register: CpuFeature['register'], names: string])[] =
  [
    [
      0x1,
      0,
      'edx',
      'fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 pn clflush - dts acpi mmx fxsr sse sse2 ss ht tm ia64 pbe',
    ],
    [
      0x1,
      0,
      'ecx',
      'pni pclmulqdq dtes64 monitor ds_cpl vmx smx est tm2 ssse3 cid sdbg fma cx16 xtpr pdcm - pcid dca sse4_1 sse4_2 x2apic movbe popcnt tsc_deadline_timer aes xsave - avx f16c rdrand hypervisor',
    ],
    [
      0x7,
      0,
      'ebx',
      'fsgsbase tsc_adjust sgx bmi1 hle avx2 - smep bmi2 erms invpcid rtm cqm - mpx rdt_a avx512f avx512dq rdseed adx smap avx512ifma - clflushopt clwb intel_pt avx512pf avx512er avx512cd sha_ni avx512bw avx512vl',
    ],
    [
      0x7,
      0,
      'ecx',
      '- avx512vbmi umip pku ospke waitpkg avx512_vbmi2 - gfni vaes vpclmulqdq avx512_vnni avx512_bitalg tme avx512_vpopcntdq - la57 - - - - - rdpid - bus_lock_detect cldemote - movdiri movdir64b enqcmd sgx_lc',
    ],
    [
      0x7,
      0,
      'edx',
      '- - avx512_4vnniw avx512_4fmaps fsrm - - - avx512_vp2intersect - md_clear - - - serialize - tsxldtrk - pconfig arch_lbr ibt - amx_bf16 avx512_fp16 amx_tile amx_int8 - - flush_l1d arch_capabilities',
    ],
    [0x7, 1, 'eax', '- - - - avx_vnni avx512_bf16'],
    [0xd, 1, 'eax', 'xsaveopt xsavec xgetbv1 xsaves'],
    [
      0x8000_0001,
      0,
      'edx',
      '- - - - - - - - - - - syscall - - - - - - - mp nx - mmxext - - fxsr_opt pdpe1gb rdtscp - lm 3dnowext 3dnow',
    ],
    [
      0x8000_0001,
      0,
      'ecx',
      'lahf_lm cmp_legacy svm extapic cr8_legacy abm sse4a misalignsse 3dnowprefetch osvw ibs xop skinit wdt - lwp fma4 tce - nodeid_msr - tbm topoext perfctr_core perfctr_nb - bpext ptsc perfctr_llc mwaitx',
    ],
    [0x8000_0007, 0, 'ebx', 'overflow_recov succor - smca'],
    [
      0x8000_0008,
      0,
      'ebx',
      'clzero irperf xsaveerptr - rdpru - - - - wbnoinvd - - - - - - - - - - - - - amd_ppin - virt_ssbd - cppc - - - brs',
    ],
    [
      0x8000_000a,
      0,
      'edx',
      'npt lbrv svm_lock nrip_save tsc_scale vmcb_clean flushbyasid decodeassists - - pausefilter - pfthreshold avic - v_vmsave_vmload vgif - x2avic - v_spec_ctrl',
    ],
  ];

const features: ReadonlyMap<string, CpuFeature> = new Map(
  registers.flatMap(([leaf, index, register, names]) =>
    names
      .split(' ')
      .map((name, bit) => [name, { leaf, index, register, bit }] as const)
      .filter(([name]) => name !== '-'),
  ),
);

export const isCpuFeature = (name: string): boolean => features.has(name);

/** The bit of a feature; throws a `RangeError` for a name that is none. */
export function cpuFeature(name: string): CpuFeature {
  const feature = features.get(name);
  if (!feature) throw new RangeError(`"${name}" is no processor feature`);
  return feature;
}

/** Reads `-smap,+popcnt`, or nothing. Throws a `RangeError` that says what is wrong. */
export function parseCpuChanges(text: string): CpuChanges {
  const changes =
    text === '' ? [] : text.split(',').map((change) => ({ sign: change[0] ?? '', name: change.slice(1) }));
  for (const { sign, name } of changes) {
    if (!['-', '+'].includes(sign)) throw new RangeError(`"${sign}${name}" must begin with - (hide) or + (expose)`);
    if (!isCpuFeature(name)) {
      throw new RangeError(`"${name}" is no processor feature; names are those of /proc/cpuinfo, such as smap`);
    }
  }
  const named = (wanted: string) => changes.filter(({ sign }) => sign === wanted).map(({ name }) => name);
  return { hide: named('-'), expose: named('+') };
}

/** What {@link parseCpuChanges} reads. */
export const formatCpuChanges = ({ hide, expose }: CpuChanges): string =>
  [...hide.map((name) => `-${name}`), ...expose.map((name) => `+${name}`)].join(',');
