# Leaves a process behind that keeps virtual machines open, on the emulated AMD host.
#
# The host's kernel patches its own code when the first VM, the first vCPU without a local APIC, or the first vCPU whose local
# APIC is off comes and when the last of them goes (static keys preempt_notifier_key, kvm_has_noapic_vcpu, apic_sw_disabled,
# apic_hw_disabled). QEMU's TCG with a thread a processor can miss such a change: both processors then take a breakpoint
# exception for ever that is no longer in memory. With these machines there, tests never are the first or the last.
use strict;
use warnings;

# Request numbers of <linux/kvm.h>; each is checked, so that a wrong one is seen.
use constant {
    KVM_CREATE_VM     => 0xae01,
    KVM_CREATE_VCPU   => 0xae41,
    KVM_CREATE_IRQCHIP => 0xae60,
    KVM_SET_MSRS      => 0x4008ae89,
};
use constant IA32_APIC_BASE => 0x1b;

open(my $kvm, '+<', '/dev/kvm') or die "/dev/kvm: $!";

sub request {
    my ($handle, $number, $argument) = @_;
    my $result = ioctl($handle, $number, $argument) // die sprintf("ioctl %#x: %s", $number, $!);
    return $result + 0;
}

sub handle {
    my ($descriptor) = @_;
    open(my $handle, '+<&=', $descriptor) or die "descriptor $descriptor: $!";
    return $handle;
}

my $without = handle(request($kvm, KVM_CREATE_VM, 0));
my $plain = handle(request($without, KVM_CREATE_VCPU, 0));
my $with = handle(request($kvm, KVM_CREATE_VM, 0));
request($with, KVM_CREATE_IRQCHIP, 0);
# A local APIC is off by software until the guest turns it on; one of these is off by hardware, too.
my $off = handle(request($with, KVM_CREATE_VCPU, 0));
my $disabled = handle(request($with, KVM_CREATE_VCPU, 1));
request($disabled, KVM_SET_MSRS, pack('L4Q', 1, 0, IA32_APIC_BASE, 0, 0xfee00000));

# Whoever waits for this script goes on now.
exit 0 if fork;
sleep while 1;
