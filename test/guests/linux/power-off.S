# First process that does nothing but switch the machine off: reboot(2), LINUX_REBOOT_CMD_POWER_OFF.
.globl _start
_start:
  movl $169, %eax
  movl $0xfee1dead, %edi
  movl $672274793, %esi
  movl $0x4321fedc, %edx
  syscall
again: jmp again
