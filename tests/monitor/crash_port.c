/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A monitor that its guest can crash: port_write() of the real one is wrapped by the linker, and
 * one byte to a port where nothing is makes the monitor fault, as a bug would. In the guest:
 *
 *      printf U | dd of=/dev/port bs=1 seek=1520
 */
#include "user/vmm/vm.h"

#define CRASH_PORT 1520u
#define CRASH_BYTE 'U'

void __real_port_write(struct vcpu *vcpu, uint16_t port, unsigned size, uint32_t value);
void __wrap_port_write(struct vcpu *vcpu, uint16_t port, unsigned size, uint32_t value);

void __wrap_port_write(struct vcpu *vcpu, uint16_t port, unsigned size, uint32_t value)
{
    if (port == CRASH_PORT && size == 1 && value == CRASH_BYTE) {
        __asm__ volatile("ud2");
    }
    __real_port_write(vcpu, port, size, value);
}
