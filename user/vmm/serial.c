/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the guest's serial port and the real one: moves what has arrived, tells the guest's port
 * whether there is room, and drives its interrupt line.
 */
#include "user/vmm/vm.h"

void serial_sync(struct vm *vm)
{
    unsigned room = uart_receive_room(&vm->uart);
    bool full = vm->console.in_tail - vm->console.in_head == CONSOLE_IN_BYTES;
    bool line;
    uint8_t byte;

    vm->uart.changed = false;
    while (room != 0 && console_get(&vm->console, &byte)) {
        uart_receive(&vm->uart, byte);
        room--;
    }
    if (full) {
        console_pump(&vm->console); /* the port may go on receiving */
    }
    if (console_has_room(&vm->console) != vm->uart.room) {
        uart_set_room(&vm->uart, console_has_room(&vm->console));
    }
    line = uart_line(&vm->uart);
    if (line != ((vm->ioapic.lines >> SERIAL_PIN & 1) != 0)) {
        vm_set_line(vm, SERIAL_PIN, line);
    }
}
