/* SPDX-License-Identifier: BSD-2-Clause */
/* I/O ports: issuing capabilities, access within and without. */
#include "tests/kernel/harness.h"

#define CONTROL seL4_CapIOPortControl
#define CMOS    0x70 /* index, data */

static seL4_Error issue(seL4_Word first, seL4_Word last, seL4_CPtr slot)
{
    return seL4_X86_IOPortControl_Issue(CONTROL, first, last, ROOT, slot, DEPTH);
}

static void issuing(void)
{
    seL4_CPtr slot = slot_new(), other = slot_new();

    CHECK_ARGUMENT(issue(0x71, 0x70, slot), 1);
    CHECK_ERROR(issue(0x70, 0x71, ROOT), seL4_DeleteFirst);
    CHECK_LOOKUP(issue(0x70, 0x71, 1ul << 40), 0, seL4_GuardMismatch, 64, 0, 47);
    CHECK_RANGE(seL4_X86_IOPortControl_Issue(CONTROL, 0x70, 0x71, ROOT, slot, 0), 1, 64);
    CHECK_OK(issue(0x70, 0x71, slot));
    CHECK_EQ(cap_tag(slot), TAG_IO_PORT);
    CHECK_ERROR(issue(0x71, 0x72, other), seL4_RevokeFirst);
    CHECK_ERROR(issue(0x60, 0x70, other), seL4_RevokeFirst);
    CHECK_ERROR(issue(0, 0xffff, other), seL4_RevokeFirst);
    /* What is issued comes before the slot; the order of the ends before that. */
    CHECK_ERROR(issue(0x70, 0x70, ROOT), seL4_RevokeFirst);
    CHECK_ARGUMENT(issue(0x71, 0x70, ROOT), 1);
    CHECK_OK(issue(0x72, 0x73, other));
    /* Deleted, the ports can be issued again; copies keep them. */
    seL4_CPtr copy = cap_copy(slot, seL4_AllRights);

    CHECK_OK(cap_delete(slot));
    CHECK_ERROR(issue(0x70, 0x71, slot), seL4_RevokeFirst);
    CHECK_OK(cap_delete(copy));
    CHECK_OK(issue(0x70, 0x71, slot));
    /* No port is the kernel's. */
    CHECK_OK(issue(0x20, 0x21, slot_new()));
    CHECK_OK(issue(0x40, 0x43, slot_new()));
    CHECK_OK(issue(0x3f8, 0x3ff, slot_new()));
    CHECK_OK(issue(0xffff, 0xffff, slot_new()));
}

static void revoking(void)
{
    seL4_CPtr slot = slot_new();

    REQUIRE_OK(issue(0x70, 0x71, slot));
    CHECK_OK(cap_revoke(slot));
    CHECK_EQ(cap_tag(slot), TAG_IO_PORT);
}

static void access(void)
{
    seL4_CPtr port = slot_new();

    REQUIRE_OK(issue(CMOS, CMOS + 1, port));
    CHECK_OK(seL4_X86_IOPort_Out8(port, CMOS, 0x0d));
    seL4_X86_IOPort_In8_t in = seL4_X86_IOPort_In8(port, CMOS + 1);

    CHECK_EQ(in.error, 0);
    CHECK_EQ(in.result, 0x80); /* the clock's battery is good */
    /* Anything not wholly within. */
    CHECK_ILLEGAL(seL4_X86_IOPort_In8(port, CMOS - 1).error);
    CHECK_ILLEGAL(seL4_X86_IOPort_In8(port, CMOS + 2).error);
    CHECK_ILLEGAL(seL4_X86_IOPort_In16(port, CMOS + 1).error);
    CHECK_ILLEGAL(seL4_X86_IOPort_In32(port, CMOS).error);
    CHECK_ILLEGAL(seL4_X86_IOPort_Out8(port, CMOS + 2, 0));
    CHECK_ILLEGAL(seL4_X86_IOPort_Out16(port, CMOS + 1, 0));
    CHECK_ILLEGAL(seL4_X86_IOPort_Out32(port, CMOS, 0));
    CHECK_OK(seL4_X86_IOPort_In16(port, CMOS).error);

    seL4_CPtr last = slot_new();

    REQUIRE_OK(issue(0xfffc, 0xffff, last));
    CHECK_OK(seL4_X86_IOPort_In32(last, 0xfffc).error);
    CHECK_ILLEGAL(seL4_X86_IOPort_In32(last, 0xfffd).error);
    CHECK_ILLEGAL(seL4_X86_IOPort_In16(last, 0xffff).error);
}

/* Sixteen and 32 bits, where reading twice gives the same: PCI configuration address. */
static void widths(void)
{
    seL4_CPtr port = slot_new();

    REQUIRE_OK(issue(0xcf8, 0xcff, port));
    CHECK_OK(seL4_X86_IOPort_Out32(port, 0xcf8, 0x80000000));
    CHECK_EQ(seL4_X86_IOPort_In32(port, 0xcf8).result, 0x80000000);
    seL4_Word id = seL4_X86_IOPort_In32(port, 0xcfc).result;

    CHECK_EQ(id & 0xffff, 0x8086);
    CHECK_EQ(seL4_X86_IOPort_In16(port, 0xcfc).result, id & 0xffff);
    CHECK_EQ(seL4_X86_IOPort_In16(port, 0xcfe).result, id >> 16);
    CHECK_EQ(seL4_X86_IOPort_In8(port, 0xcff).result, id >> 24);
}

TEST_SUITE(io_port, { "issuing", issuing }, { "revoking", revoking }, { "access", access },
           { "widths", widths });
