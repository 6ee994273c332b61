/** What drgn reads of a vmcore, as text to compare with. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const script = `
import sys
import drgn
from drgn.helpers.common.memory import identify_address
from drgn.helpers.linux.mm import virt_to_page
from drgn.helpers.linux.list import hlist_for_each_entry, list_for_each_entry
from drgn.helpers.linux.pid import for_each_task
from drgn.helpers.linux.percpu import per_cpu
from drgn.helpers.linux.printk import get_printk_records
from drgn.helpers.linux.sched import task_cpu, task_state_to_char

prog = drgn.Program()
prog.set_core_dump(sys.argv[1])
prog.load_debug_info([sys.argv[2]])

def show(kind, task):
    print(kind, task.pid.value_(), task.tgid.value_(), task.real_parent.tgid.value_(), task_state_to_char(task),
          task_cpu(task), hex(task.flags), hex(task.stack.value_()), hex(task.value_()), task.comm.string_().decode())

def current(cpu):
    try:
        return per_cpu(prog['pcpu_hot'], cpu).current_task
    except KeyError:
        return per_cpu(prog['current_task'], cpu)

def code(module):
    try:
        return module.core_layout
    except AttributeError:
        return module.mem[prog.constant('MOD_TEXT')]

for task in for_each_task(prog):
    show('task', task)
for cpu in range(int(sys.argv[3])):
    show('current', current(cpu))
    show('idle', per_cpu(prog['runqueues'], cpu).idle)
for module in list_for_each_entry('struct module', prog['modules'].address_of_(), 'list'):
    layout = code(module)
    print('module', module.name.string_().decode(), hex(layout.base), hex(layout.base.value_() + layout.size.value_()))
for cpu in range(int(sys.argv[3])):
    for base in per_cpu(prog['timer_bases'], cpu):
        for head in base.vectors:
            for timer in hlist_for_each_entry('struct timer_list', head.address_of_(), 'entry'):
                name = prog.symbol(timer.function.value_()).name
                print('timer', cpu, hex(timer.value_()), timer.expires.value_(), name)
for record in get_printk_records(prog):
    print('log', record.timestamp // 1000, record.text.decode().encode('unicode_escape').decode())
def what(address, wanted=''):
    try:
        said = str(identify_address(prog, address))
        if said.startswith(wanted):
            print('what', hex(address), said)
    except Exception:
        # Debian 12's drgn does not know how newer kernels mark their slabs.
        pass

for task in list(for_each_task(prog))[:12]:
    # Objects of the same slab and around it, in use or free.
    for n in range(-2, 3):
        what(task.value_() + n * task.type_.type.size)
    for member in ('signal', 'sighand', 'files', 'cred'):
        what(getattr(task, member).value_() + 8)
# The last are processes, which have files of their own; those of processes that have ended are free.
for task in list(for_each_task(prog))[-4:]:
    for n in range(-2, 3):
        what(task.files.value_() + n * task.files.type_.type.size, 'free')
def region(name, address):
    print('region', hex(address), name)

for task in list(for_each_task(prog))[:8]:
    region('direct map', task.value_())
    region('vmalloc', task.stack.value_())
    region('vmemmap', virt_to_page(task).value_())
for module in list_for_each_entry('struct module', prog['modules'].address_of_(), 'list'):
    region('modules', code(module).base.value_())
for cpu in range(int(sys.argv[3])):
    region('CPU entry area', per_cpu(prog['cea_exception_stacks'], cpu).value_())
for name in ('jiffies', 'schedule', 'linux_banner', 'init_task'):
    what(prog.symbol(name).address + 4)
for task in for_each_task(prog):
    if not task.on_cpu:
        names = [frame.name or '' for frame in prog.stack_trace(task) if not frame.is_inline]
        print('stack', hex(task.value_()), ' '.join(names))
`;

/** Lines of what `kind` names: `task`, `current`, `idle`, `module`, `log`, `timer`, `what`, `region`, `stack`; without the kind. */
export function drgn(vmcore: string, vmlinux: string, cpus: number): (kind: string) => string[] {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-drgn-'));
  try {
    const image = readable(vmlinux, join(folder, 'vmlinux'));
    const text = execFileSync('/usr/bin/python3', ['-c', script, vmcore, image, String(cpus)], {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    });
    const lines = text.split('\n');
    return (kind) => lines.filter((line) => line.startsWith(`${kind} `)).map((line) => line.slice(kind.length + 1));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * The kernel, or a copy that the drgn of Debian 12 can read: it does not know the unwind tables that come with `.orc_header`,
 * and takes those of the compiler when it finds no others.
 */
export function readable(vmlinux: string, copy: string): string {
  if (!execFileSync('readelf', ['-SW', vmlinux], { encoding: 'utf8' }).includes(' .orc_header ')) return vmlinux;
  const other = ['.orc_unwind=.other', '.orc_unwind_ip=.other_ip'].flatMap((each) => ['--rename-section', each]);
  execFileSync('objcopy', [...other, vmlinux, copy], { stdio: 'ignore' });
  return copy;
}
