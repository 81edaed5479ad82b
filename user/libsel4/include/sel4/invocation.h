/* SPDX-License-Identifier: BSD-2-Clause */
/* One function for each invocation. */
#ifndef SEL4_INVOCATION_H
#define SEL4_INVOCATION_H

#include "abi/gen/labels.h"
#include "abi/gen/stubs.h"

/* The published older name: flags none. */
static inline seL4_Error seL4_SchedControl_Configure(seL4_SchedControl _service,
                                                     seL4_SchedContext schedcontext,
                                                     seL4_Time budget, seL4_Time period,
                                                     seL4_Word extra_refills, seL4_Word badge)
{
    return seL4_SchedControl_ConfigureFlags(_service, schedcontext, budget, period, extra_refills,
                                            badge, seL4_SchedContext_NoFlag);
}

#endif
