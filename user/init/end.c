/* SPDX-License-Identifier: BSD-2-Clause */
/* How init's authority ends: README.md explains it. */
#include "user/init/boot.h"
#include "user/init/failure.h"
#include "user/start/start.h"

/* In the last CNode: init's own thread, for it to stop itself. */
#define SLOT_OWN_THREAD 1u

static void exchange_cspace(const struct boot *boot)
{
    const struct plan_header *header = boot->plan.header;
    seL4_CPtr cnode = boot_cap(boot, header->last_cnode);
    seL4_Word guard = seL4_CNode_CapData_new(0, seL4_WordBits - header->last_cnode_bits).words[0];

    require(seL4_CNode_Copy(cnode, SLOT_OWN_THREAD, (seL4_Uint8)header->last_cnode_bits,
                            seL4_CapInitThreadCNode, seL4_CapInitThreadTCB, seL4_WordBits,
                            seL4_AllRights),
            "copy the thread of", "init", 0);
    require(seL4_TCB_SetSpace(seL4_CapInitThreadTCB, seL4_CapNull, cnode, guard,
                              seL4_CapInitThreadVSpace, 0),
            "exchange the CSpace of", "init", 0);
}

#ifdef BULKHEAD_DEBUG

/* What seL4_DebugCapIdentify says. */
enum cap_tag {
    TAG_NULL = 0,
    TAG_THREAD = 12,
};

/* No untyped memory, no control over interrupts, ports, ASIDs, time or threads, no frame is left.
 */
static void verify(const struct boot *boot)
{
    const seL4_BootInfo *bootinfo = boot->bootinfo;

    for (uint64_t index = 0; index < 1ull << boot->plan.header->last_cnode_bits; index++) {
        seL4_Uint32 tag = seL4_DebugCapIdentify(index);

        if (tag != (index == SLOT_OWN_THREAD ? TAG_THREAD : TAG_NULL)) {
            panic("init holds a capability that it should not: slot %lu, kind %u\n", index, tag);
        }
    }
    for (seL4_CPtr cap = 2; cap < bootinfo->empty.start + boot->plan.header->nr_slots; cap++) {
        if (seL4_DebugCapIdentify(cap) != TAG_NULL) {
            panic("init can still reach what it had: %lu\n", cap);
        }
    }
}

#else

static void verify(const struct boot *boot)
{
    (void)boot;
}

#endif

_Noreturn void give_up(const struct boot *boot, uint64_t left_bytes)
{
    exchange_cspace(boot);
    verify(boot);
    print("[bulkhead] init ends and holds nothing but its own thread; %lu MiB are left over, "
          "which nobody can reach\n",
          (unsigned long)(left_bytes >> 20));
    for (;;) {
        seL4_TCB_Suspend(SLOT_OWN_THREAD);
    }
}
