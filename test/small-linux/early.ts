/** How the small Linux starts where KVM interprets supervisor code, as well as where it does not. */

/** Without what costs an interpreted kernel its time or, as protecting its own code by large pages split up, asks for much. */
export const EARLY_COMMAND_LINE = [
  ...['console=ttyS0', 'tsc=reliable', 'no_timer_check', 'nokaslr', 'mitigations=off', 'noreplace-smp', 'rodata=off'],
  ...['noxsave', 'nosmap', 'nosmep', 'nopku', 'lpj=25961320', 'initcall_blacklist=blake2s_mod_init'],
].join(' ');
