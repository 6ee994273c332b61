/** What crash(8) says of a vmcore. */
import { spawnSync } from 'node:child_process';

/** Lines that `command` prints, after those of a start without banner. */
export function crash(vmcore: string, vmlinux: string, command: string): string[] {
  // Its status tells of a kernel whose tasks it does not find, too.
  const { stdout } = spawnSync('crash', ['-s', vmlinux, vmcore], {
    encoding: 'utf8',
    input: `${command}\nquit\n`,
    stdio: ['pipe', 'pipe', 'ignore'],
    maxBuffer: 1 << 26,
  });
  return stdout.split('\n').filter((line) => line !== '');
}

/** `PID PPID CPU TASK`, as its `ps` has them. */
export function crashTasks(vmcore: string, vmlinux: string): string[] {
  const row = /^[> ] +(\d+) +(\d+) +(\d+) +([0-9a-f]{16}) /;
  return crash(vmcore, vmlinux, 'ps').flatMap((line) => {
    const [, pid, parent, cpu, address] = row.exec(line) ?? [];
    return pid === undefined ? [] : [`${pid} ${parent} ${cpu} 0x${address}`];
  });
}
