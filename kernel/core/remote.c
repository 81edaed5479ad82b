/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/core/remote.h"

#include "kernel/core/lock.h"
#include "kernel/core/panic.h"

_Static_assert(CONFIG_MAX_CORES <= 64, "a mask of cores is one word");

/* Written by the asker while no core is asked; read by those it asks. */
static struct {
    remote_work *work;
    u64 a, b;
} request;

static void ask(u64 core_mask)
{
    for (u64 left = core_mask; left; left &= left - 1) {
        unsigned core = (unsigned)__builtin_ctzll(left);

        __atomic_store_n(&cores[core].asked, 1, __ATOMIC_RELEASE);
        core_interrupt(core);
    }
}

static void await_answers(u64 core_mask)
{
    for (u64 left = core_mask; left; left &= left - 1) {
        const struct core *core = &cores[__builtin_ctzll(left)];

        while (__atomic_load_n(&core->asked, __ATOMIC_ACQUIRE))
            __builtin_ia32_pause();
    }
}

void remote_run(u64 core_mask, remote_work *work, u64 a, u64 b)
{
    u64 self = BIT(this_core()->id);
    u64 others = core_mask & ~self;

    kernel_assert(lock_holds_all_cores());
    if (others) {
        request.work = work;
        request.a = a;
        request.b = b;
        ask(others);
    }
    if (core_mask & self)
        work(a, b);
    await_answers(others);
}

void remote_serve(void)
{
    struct core *core = this_core();

    if (!__atomic_load_n(&core->asked, __ATOMIC_ACQUIRE))
        return;
    request.work(request.a, request.b);
    __atomic_store_n(&core->asked, 0, __ATOMIC_RELEASE);
}
