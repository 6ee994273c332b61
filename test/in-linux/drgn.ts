/** What drgn reads of a vmcore, as text to compare with. */
import { execFileSync } from 'node:child_process';

const script = `
import sys
import drgn
from drgn.helpers.linux.list import list_for_each_entry
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

for task in for_each_task(prog):
    show('task', task)
for cpu in range(int(sys.argv[3])):
    show('current', per_cpu(prog['current_task'], cpu))
    show('idle', per_cpu(prog['runqueues'], cpu).idle)
for module in list_for_each_entry('struct module', prog['modules'].address_of_(), 'list'):
    layout = module.core_layout
    print('module', module.name.string_().decode(), hex(layout.base), hex(layout.base.value_() + layout.size.value_()))
for record in get_printk_records(prog):
    print('log', record.timestamp // 1000, record.text.decode().encode('unicode_escape').decode())
for task in for_each_task(prog):
    if not task.on_cpu:
        names = [frame.name or '' for frame in prog.stack_trace(task) if not frame.is_inline]
        print('stack', hex(task.value_()), ' '.join(names))
`;

/** Lines of what `kind` names: `task`, `current`, `idle`, `module`, `log`, `stack`; without the kind. */
export function drgn(vmcore: string, vmlinux: string, cpus: number): (kind: string) => string[] {
  const text = execFileSync('/usr/bin/python3', ['-c', script, vmcore, vmlinux, String(cpus)], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  const lines = text.split('\n');
  return (kind) => lines.filter((line) => line.startsWith(`${kind} `)).map((line) => line.slice(kind.length + 1));
}
