/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the guest's serial port and the console server: moves what has arrived, tells the guest's
 * port whether there is room, and drives its interrupt line.
 */
#include "user/vmm/vm.h"

void serial_sync(struct vcpu *vcpu)
{
    struct vm *vm = vcpu->vm;
    unsigned room = uart_receive_room(&vm->uart);
    bool has_room, line;
    uint8_t byte;

    vm->uart.changed = false;
    while (room != 0 && console_get(&vm->console, &byte)) {
        uart_receive(&vm->uart, byte);
        room--;
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
