/** SeaBIOS as QEMU starts with it, of Debian's package seabios, which comes with qemu-system-x86. */
export const SEABIOS = '/usr/share/seabios/bios-256k.bin';
