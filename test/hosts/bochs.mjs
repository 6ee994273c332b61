// Bochs as a test host: boots the kernel from a CD image by GRUB, writes its serial port into a file.
import { spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  constants,
  copyFileSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { ReadStream } from 'node:tty';

function makeBootImage({ scratch, kernel, initramfs, kernelParameters }) {
  const grub = join(scratch, 'iso/boot/grub');
  mkdirSync(grub, { recursive: true });
  copyFileSync(kernel, join(scratch, 'iso/boot/vmlinuz'));
  const script = [`gzip -1 <'${initramfs}' >iso/boot/initramfs`, 'grub-mkrescue -o boot.iso iso 2>&1'];
  writeFileSync(
    join(grub, 'grub.cfg'),
    `set timeout=0\nmenuentry test {\n linux /boot/vmlinuz ${kernelParameters}\n initrd /boot/initramfs\n}\n`,
  );
  const made = spawnSync('sh', ['-ec', script.join('\n')], { cwd: scratch, encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`cannot make the boot image: ${made.error ?? made.stdout}`);
  return join(scratch, 'boot.iso');
}

function configuration({ scratch, image, memory }) {
  return [
    'cpu: model=corei7_skylake_x, count=1, ips=200000000, reset_on_triple_fault=0, ignore_bad_msrs=1',
    `memory: guest=${memory}, host=${memory}`,
    'romimage: file=/usr/share/bochs/BIOS-bochs-latest',
    'vgaromimage: file=/usr/share/vgabios/vgabios.bin',
    `ata0-master: type=cdrom, path=${image}, status=inserted`,
    'boot: cdrom',
    `com1: enabled=1, mode=file, dev=${join(scratch, 'serial')}`,
    'display_library: term',
    // Without a sound card the mixer of ALSA's driver overruns its buffer, and Bochs ends.
    'sound: driver=dummy',
    'clock: sync=none, time0=utc',
    `log: ${join(scratch, 'bochs.log')}`,
    'panic: action=fatal',
    'error: action=ignore',
    'info: action=ignore',
    '',
  ].join('\n');
}

/** What is appended to a file, as a stream that ends when `isOver` says so and everything has been read. */
async function* follow(path, isOver) {
  const file = openSync(path, 'r');
  const buffer = Buffer.alloc(1 << 16);
  try {
    for (;;) {
      const over = isOver();
      const length = readSync(file, buffer, 0, buffer.length, null);
      if (length > 0) yield Buffer.from(buffer.subarray(0, length));
      else if (over) return;
      else await new Promise((resolve) => setTimeout(resolve, 100));
    }
  } finally {
    closeSync(file);
  }
}

/** Reads the screen, as Bochs's log names it, and throws it away: without a reader Bochs stands still when some 10 KB are on it. */
function emptyScreen(log) {
  const [, screen] = /^Bochs connected to screen "(.+)"/m.exec(readFileSync(log, 'latin1')) ?? [];
  if (!screen) throw new Error('Bochs does not say which terminal its screen is');
  const flags = constants.O_RDONLY | constants.O_NOCTTY | constants.O_NONBLOCK;
  const stream = new ReadStream(openSync(screen, flags));
  // It ends with Bochs.
  stream.on('error', () => undefined).resume();
}

/**
 * Milliseconds between two times that the debugger of Bochs is told to go on: it stops when a guest of the machine's goes
 * down. When it has not stopped, the machine has a key pressed, which nobody there waits for.
 */
const BETWEEN_KEYS = 2000;

/** Starts the machine; `stdout` is its serial port. Bochs wants a terminal, which `script` is, and says there why it gave up. */
export function startBochs(options) {
  const { scratch } = options;
  const serial = join(scratch, 'serial');
  const image = makeBootImage(options);
  writeFileSync(join(scratch, 'bochsrc'), configuration({ ...options, image }));
  writeFileSync(join(scratch, 'go'), 'c\n');
  writeFileSync(serial, '');
  const command = `bochs -q -f '${join(scratch, 'bochsrc')}' -rc '${join(scratch, 'go')}'`;
  const log = join(scratch, 'log');
  const terminal = openSync(log, 'w');
  const child = spawn('script', ['-qec', command, '/dev/null'], {
    stdio: ['pipe', terminal, terminal],
    detached: true,
    env: { ...process.env, TERM: 'xterm' },
  });
  closeSync(terminal);
  let over = false;
  let keys;
  child.stdin.on('error', () => undefined);
  child.once('close', () => {
    over = true;
    clearInterval(keys);
  });
  child.once('error', () => {
    over = true;
  });
  /** Once the kernel runs, and no boot menu can take it for an answer. */
  async function* output() {
    for await (const chunk of follow(serial, () => over)) {
      if (!keys) {
        emptyScreen(log);
        keys = setInterval(() => child.stdin.write('c\n'), BETWEEN_KEYS);
      }
      yield chunk;
    }
  }
  return { pid: child.pid, stdout: Readable.from(output()) };
}
