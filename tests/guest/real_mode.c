/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a VT-x processor without unrestricted guest cannot do: another processor by a start-up
 * message, then paging off and on again, which the monitor makes up for, and real mode, which it
 * does not.
 */
#include "tests/guest/guest.h"

#define MSR_APIC_BASE    0x1b
#define APIC_BASE_X2APIC (3u << 10) /* enabled, in x2APIC mode */
#define MSR_ICR          0x830
#define ICR_TO_SECOND    (1ull << 32)
#define ICR_INIT         0x4500
#define ICR_STARTUP      0x4600
#define START_PAGE       0x10

/* Exits, which give up the turn: the second processor's monitor gets on. */
#define PAUSES 100

uint32_t without_paging(void);
void to_real_mode(void);

void guest_main(void)
{
    guest_wrmsr(MSR_APIC_BASE, guest_rdmsr(MSR_APIC_BASE) | APIC_BASE_X2APIC);
    guest_wrmsr(MSR_ICR, ICR_TO_SECOND | ICR_INIT);
    for (unsigned i = 0; i < 2; i++)
        guest_wrmsr(MSR_ICR, ICR_TO_SECOND | ICR_STARTUP | START_PAGE);
    for (unsigned i = 0; i < PAUSES; i++)
        __asm__ volatile("pause");
    guest_print("guest: without paging CR0 is %x\n", without_paging());
    to_real_mode();
    guest_print("guest: still alive\n");
}
