/* SPDX-License-Identifier: BSD-2-Clause */
/* Limits fixed at build time; those that the ABI tables fix are named after them (section 1). */
#ifndef KERNEL_CORE_CONFIG_H
#define KERNEL_CORE_CONFIG_H

#define CONFIG_MAX_CORES                 64 /* SchedControl capabilities of the initial task */
#define CONFIG_ROOT_CNODE_BITS           17
#define CONFIG_RETYPE_FAN_OUT            256
#define CONFIG_WORK_UNITS_PER_PREEMPTION 100
#define CONFIG_RESET_CHUNK_BYTES         256
#define CONFIG_BOOT_TIMESLICE_US         5000
#define CONFIG_KERNEL_WCET_US            10
#define CONFIG_MAX_UNTYPEDS              230
#define CONFIG_PRIORITIES                256
#define CONFIG_KERNEL_STACK_BYTES        8192

#endif
