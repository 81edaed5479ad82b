/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the guest's serial port and the console server: moves what has arrived and is not for the
 * virtio console, tells the guest's port whether there is room, and drives its interrupt line.
 */
#include "user/vmm/vm.h"

static void take_input(struct vm *vm)
{
    unsigned room = uart_receive_room(&vm->uart);
    uint8_t byte;

    while (room != 0 && console_has_input(&vm->console) &&
           console_read(&vm->console, &byte, 1) != 0) {
        uart_receive(&vm->uart, byte);
        room--;
    }
}

void serial_sync(struct vcpu *vcpu)
{
    struct vm *vm = vcpu->vm;
    bool has_room, line;

    vm->uart.changed = false;
    if (!virtio_console_takes_input(&vm->virtio_console)) {
        take_input(vm);
    }
    console_pump(&vm->console);
    has_room = console_has_room(&vm->console);
    if (has_room != vm->uart.room) {
        uart_set_room(&vm->uart, has_room);
    }
    line = uart_line(&vm->uart);
    if (line != vm->serial_line) {
        vm->serial_line = line;
        vm_set_line(vcpu, SERIAL_PIN, line);
    }
}
