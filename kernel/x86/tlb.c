/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Forgetting translations. Without PCIDs a processor holds user translations of the loaded root
 * only: loading another drops them (the kernel's own are global and never change). So only a core
 * whose `root` it is has anything to do, and is asked to.
 *
 * Translations of guests outlive the guest's turn. Each core is told to begin anew before its next
 * entry, and those that may be running a guest are interrupted.
 */
#include "kernel/vspace/tlb.h"

#include "kernel/core/core.h"
#include "kernel/core/remote.h"
#include "kernel/object/tcb.h"
#include "kernel/vspace/vspace.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/virt/virt.h"

static u64 cores_with_root(hpa_t root)
{
    u64 mask = 0;

    for (unsigned i = 0; i < nr_cores; i++)
        if (cores[i].root == root.raw)
            mask |= BIT(i);
    return mask;
}

static void flush_page_here(u64 vaddr, u64 unused)
{
    (void)unused;
    invalidate_page(vaddr);
}

void tlb_flush_page(hpa_t root, u64 vaddr)
{
    remote_run(cores_with_root(root), flush_page_here, vaddr, 0);
}

/*
 * A root that is going away is no longer that of the thread that runs on it, so asking the thread
 * tells the two cases apart.
 */
static void flush_space_here(u64 root, u64 unused)
{
    struct core *core = this_core();

    (void)unused;
    if (core->current == core->idle || vspace_root_for(core->current).raw != root)
        core->root = ptr_to_hpa(paging_kernel_root()).raw;
    write_cr3(core->root);
}

void tlb_flush_space(hpa_t root)
{
    remote_run(cores_with_root(root), flush_space_here, root.raw, 0);
}

/* The request has ended the guest's run; there is nothing else to do. */
static void leave_guest_here(u64 a, u64 b)
{
    (void)a;
    (void)b;
}

void tlb_flush_nested(hpa_t root)
{
    u64 in_guest = 0;

    (void)root;
    if (!virt)
        return;
    for (unsigned i = 0; i < nr_cores; i++) {
        virt->flush_nested(i);
        if (i != this_core()->id && cores[i].current->state == THREAD_RUNNING_VM)
            in_guest |= BIT(i);
    }
    remote_run(in_guest, leave_guest_here, 0, 0);
}
