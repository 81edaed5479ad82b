/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Forgetting translations. Without PCIDs a processor holds user translations of the loaded root
 * only: loading another drops them (the kernel's own are global and never change). So only a core
 * whose `root` it is has anything to do. That is this core, until others are started; then they are
 * asked and waited for here.
 */
#include "kernel/vspace/tlb.h"

#include "kernel/core/core.h"
#include "kernel/vspace/vspace.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/virt/virt.h"

void tlb_flush_page(hpa_t root, u64 vaddr)
{
    if (this_core()->root == root.raw)
        invalidate_page(vaddr);
}

/*
 * A root that is going away is no longer that of the thread that runs on it, so asking the thread
 * tells the two cases apart.
 */
void tlb_flush_space(hpa_t root)
{
    struct core *core = this_core();

    if (core->root != root.raw)
        return;
    if (core->current == core->idle || vspace_root_for(core->current).raw != root.raw)
        core->root = ptr_to_hpa(paging_kernel_root()).raw;
    write_cr3(core->root);
}

void tlb_flush_nested(hpa_t root)
{
    if (virt)
        virt->flush_nested(root);
}
