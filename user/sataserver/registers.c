/* SPDX-License-Identifier: BSD-2-Clause */
/* The controller's registers where there is a controller. */
#include "user/sataserver/hba.h"

uint32_t hba_read(const struct hba *hba, uint32_t offset)
{
    return hba->registers[offset / 4];
}

void hba_write(struct hba *hba, uint32_t offset, uint32_t value)
{
    hba->registers[offset / 4] = value;
}

void hba_publish(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
