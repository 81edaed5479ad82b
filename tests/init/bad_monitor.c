/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Monitors gone bad: each way is a program of its own (BAD_WAY), started by init in place of the
 * real monitor. run.py knows what init must say about it.
 */
#include <sel4/sel4.h>

#include "user/start/start.h"
#include "user/vmm/config.h"

#define FLOOD_MESSAGES 20000
#define BEYOND_CNODE   (1u << VMM_CNODE_RADIX)
#define OWN_TURN       VMM_VCPU_SLOT(0, VMM_VCPU_TURN)

static volatile uint8_t data_page[16];

static __attribute__((noinline, used)) void report(seL4_Word label)
{
    seL4_Send(VMM_SLOT_SUPERVISOR_EP, seL4_MessageInfo_new(label, 0, 0, 4));
}

static __attribute__((unused)) void page_fault(void)
{
    volatile uintptr_t nowhere = 0x10;

    *(volatile uint32_t *)nowhere = 1;
}

/* Our own code is not ours to change. */
static __attribute__((unused)) void write_text(void)
{
    *(volatile uint8_t *)(uintptr_t)&report = 0xc3;
}

static __attribute__((unused)) void run_data(void)
{
    data_page[0] = 0xc3; /* ret */
    ((void (*)(void))(uintptr_t)data_page)();
}

static __attribute__((unused)) void exception(void)
{
    __asm__ volatile("ud2");
}

static __attribute__((unused)) void bad_system_call(void)
{
    struct sel4_registers registers = { 0 };

    sel4_syscall(1234, &registers, 0, 0);
}

static __attribute__((unused)) void bad_capability(void)
{
    seL4_TCB_Resume(BEYOND_CNODE);
}

/* The first of them ends it. */
static __attribute__((unused)) void flood(void)
{
    for (int i = 0; i < FLOOD_MESSAGES; i++) {
        report(4711);
    }
}

/* It is started anew, and finds nothing of what it has left behind. */
static __attribute__((unused)) void reboots(void)
{
    static uint64_t left_behind;

    if (left_behind++ != 0) {
        print("snoop: %lu from before\n", left_behind);
    }
    report(program_is_restarted() ? VMM_REPORT_POWEROFF : VMM_REPORT_REBOOT);
}

static bool is_ours(seL4_CPtr slot)
{
    return slot == VMM_SLOT_CONSOLE || slot == VMM_SLOT_SUPERVISOR_EP ||
           (slot >= VMM_SLOT_VCPU_FIRST && slot < VMM_VCPU_SLOT(1, 0));
}

/* True if there is nothing to be had: looks at every slot, and beyond, and tries what it finds. */
static bool is_confined(void)
{
    for (seL4_CPtr slot = 0; slot < 4096; slot++) {
        if ((seL4_DebugCapIdentify(slot) != 0) != is_ours(slot)) {
            print("snoop: slot %lu\n", slot);
            return false;
        }
    }
    /* An empty slot is nothing to call. */
    if (seL4_TCB_Resume(BEYOND_CNODE - 1) != seL4_InvalidCapability) {
        print("snoop: empty slot\n");
        return false;
    }
    /* A method of an object that it does not have. */
    if (seL4_CNode_Revoke(VMM_SLOT_VCPU_FIRST, 1, 8) != seL4_IllegalOperation ||
        seL4_TCB_SetPriority(VMM_SLOT_VCPU_FIRST, VMM_SLOT_VCPU_FIRST, 254) !=
            seL4_IllegalOperation) {
        print("snoop: methods\n");
        return false;
    }
    return true;
}

static __attribute__((unused)) void snoop(void)
{
    report(is_confined() ? VMM_REPORT_POWEROFF : VMM_REPORT_CRASH);
}

int main(seL4_Word argument)
{
    (void)argument;
    seL4_SetIPCBuffer((seL4_IPCBuffer *)VMM_IPC_BUFFER_VADDR);
    BAD_WAY();
    report(VMM_REPORT_REFUSED);
    for (;;) {
        seL4_Wait(OWN_TURN, NULL);
    }
}
