/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/object/known.h"

#include "kernel/object/tcb.h"
#include "kernel/vspace/asid.h"
#include "kernel/vspace/vspace.h"

static void learn_cspace(struct known *known, struct cap root)
{
    unsigned radix = cnode_radix(root), guard_size = cnode_guard_size(root);

    if (root.type != CAP_CNODE || radix + guard_size != 64 || radix == 0 ||
        cnode_guard(root) > MASK(guard_size))
        return;
    known->first = cnode_guard(root) << radix;
    known->count = BIT(radix);
    known->slots = cnode_slots(root);
}

__attribute__((cold)) void known_learn(struct tcb *tcb)
{
    tcb->known = (struct known){
        .epoch = known_epoch.now,
        .root = vspace_root_for(tcb),
        .nested_root = nested_root_for(tcb),
        .buffer = tcb_buffer_for_receive(tcb),
    };
    learn_cspace(&tcb->known, tcb->slots[TCB_CSPACE].cap);
}
