/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a virtual machine monitor is told, and what it tells: the one structure that the host tool
 * lays into a read-only frame of the monitor, the addresses and capability slots that tool, init
 * and monitor agree on, and the messages a monitor sends to its supervisor (init).
 *
 * Who writes  the host tool, all fields but tsc_mhz; init fills in tsc_mhz at boot
 * Who reads   the monitor. It checks magic, version and every size before use: a wrong description
 *             is answered with one line on the console, not with a crash.
 * Layout      fixed-width fields at natural alignment, no padding, little endian; see the asserts.
 *
 * Threads     one for each vCPU, in one address space with one CNode. Each starts at the program's
 *             entry with the vCPU's number in rdi, the run's mark in rsi and its FS base at
 *             its IPC buffer. A run ends when the supervisor has heard how, or at any time before.
 *             It starts the VM anew by starting all threads anew, with another mark: the
 *             monitor then clears what it finds. It holds no capability of a thread.
 *
 * Address space of a monitor (virtual addresses)
 *
 *      0x0000400000   program
 *      0x0010000000   struct vmm_config, one frame, read only
 *      0x0010001000   IPC buffers, one 4 KiB frame for each vCPU's thread, following each other
 *      0x0010100000   channel to the console server (user/libserver/console.h)
 *      0x0010200000   channels to the disk server (user/libserver/disk.h), one for each disk
 *      0x0020000000   guest kernel image, read only (at most 512 MiB)
 *      0x0040000000   initial RAM disk, read only (at most 2 GiB)
 *      0x0100000000   guest RAM: guest physical address g is at VMM_RAM_VADDR + g
 *
 * Guest RAM: [0, ram_bytes) when ram_bytes <= VMM_RAM_LOW_MAX; otherwise [0, VMM_RAM_LOW_MAX) and
 * [4 GiB, 4 GiB + ram_bytes - VMM_RAM_LOW_MAX). The gap is mapped neither for the guest nor here.
 */
#ifndef USER_VMM_CONFIG_H
#define USER_VMM_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "user/vmm/stack.h"

#define VMM_CONFIG_MAGIC   0x676663206d6d7662ull /* "bvmm cfg" in memory */
#define VMM_CONFIG_VERSION 5u

#define VMM_NAME_BYTES         32u
#define VMM_COMMAND_LINE_BYTES 2048u
#define VMM_MAX_DISKS          8u

/* Addresses in the monitor's address space. */
#define VMM_CONFIG_VADDR     0x0010000000ull
#define VMM_IPC_BUFFER_VADDR 0x0010001000ull /* vCPU n: + n * 4096 */
#define VMM_CONSOLE_VADDR    0x0010100000ull
#define VMM_DISK_VADDR       0x0010200000ull /* disk n: + n * VMM_DISK_SPAN */
#define VMM_DISK_SPAN        0x0000010000ull
#define VMM_KERNEL_VADDR     0x0020000000ull
#define VMM_INITRD_VADDR     0x0040000000ull
#define VMM_RAM_VADDR        0x0100000000ull

/* Where guest RAM below 4 GiB ends at the latest; above it are device registers. */
#define VMM_RAM_LOW_MAX   0x00c0000000ull
#define VMM_RAM_HIGH_BASE 0x0100000000ull
#define VMM_RAM_FRAME     0x200000ull /* ram_bytes is a multiple of this */
#define VMM_RAM_MIN       (64ull << 20)
#define VMM_RAM_MAX       (1ull << 40)

/*
 * The monitor's CNode: radix 8, guard 0 of 56 bits, so that a cptr is the slot's number. What
 * belongs to vCPU n is in the slots VMM_VCPU_SLOT(n, ...).
 */
#define VMM_CNODE_RADIX 8u
enum vmm_slot {
    VMM_SLOT_NULL = 0,
    VMM_SLOT_CONSOLE = 4,       /* signals the console server */
    VMM_SLOT_SUPERVISOR_EP = 6, /* to init, with write right; its badge says which VM */
    VMM_SLOT_DISK = 8,          /* + n: signals the server of disk n */
    VMM_SLOT_VCPU_FIRST = 16,
};

enum vmm_vcpu_slot {
    VMM_VCPU_VCPU,         /* the VCPU object, given to its thread */
    VMM_VCPU_NOTIFICATION, /* bound to that thread; signals VMM_BADGE_KICK */
    VMM_VCPU_TURN,         /* a notification that the thread waits on for a lock, and at its end */
    VMM_VCPU_SLOTS,
};

#define VMM_VCPU_SLOT(index, which) (VMM_SLOT_VCPU_FIRST + VMM_VCPU_SLOTS * (index) + (which))

/* Badge bits of a vCPU's notification. The servers signal vCPU 0. */
#define VMM_BADGE_SERIAL  1ull /* input, or room for output */
#define VMM_BADGE_KICK    2ull
#define VMM_BADGE_DISK(n) (0x100ull << (n)) /* its state, or completions */

struct vmm_config {
    uint64_t magic;        /* VMM_CONFIG_MAGIC */
    uint32_t version;      /* VMM_CONFIG_VERSION */
    uint32_t nr_vcpus;     /* 1 .. VMM_MAX_VCPUS */
    uint64_t ram_bytes;    /* multiple of VMM_RAM_FRAME */
    uint64_t kernel_bytes; /* bzImage at VMM_KERNEL_VADDR */
    uint64_t initrd_bytes; /* at VMM_INITRD_VADDR; 0 = none */
    uint64_t boot_time;    /* of the machine: seconds since 1970 when its TSC was 0; 0: not known;
                            * filled in by init */
    uint32_t tsc_mhz;      /* filled in by init, too */
    uint32_t flags;        /* VMM_FLAG_... */
    uint32_t nr_disks;     /* 0 .. VMM_MAX_DISKS */
    uint32_t yielding;     /* bit i: vCPU i takes turns on its core with another of this VM */
    uint32_t baseline;     /* of the processor: n for x86-64-vn; VMM_BASELINE_HOST */
    uint32_t watchdog_ms;  /* a guest that keeps an interrupt out for so long is stuck; 0: none */
    char name[VMM_NAME_BYTES];                 /* for messages, NUL terminated */
    char command_line[VMM_COMMAND_LINE_BYTES]; /* for the guest's kernel, NUL terminated */
};

#define VMM_BASELINE_HOST 0u /* the processor as it is */
#define VMM_BASELINE_MOST 3u

#define VMM_FLAG_STATISTICS    1u /* exit counts by reason on the console when the VM ends */
#define VMM_FLAG_SOFTWARE_APIC 2u /* the local APIC is not the processor's, even if it can be */

_Static_assert(sizeof(struct vmm_config) == 72 + VMM_NAME_BYTES + VMM_COMMAND_LINE_BYTES,
               "vmm_config has no padding");
_Static_assert(sizeof(struct vmm_config) <= 4096, "vmm_config fits one frame");
_Static_assert(offsetof(struct vmm_config, tsc_mhz) == 48, "init patches tsc_mhz here");
_Static_assert(VMM_SLOT_DISK + VMM_MAX_DISKS <= VMM_SLOT_VCPU_FIRST, "disks have slots");

/*
 * Messages to the supervisor: seL4_Send on VMM_SLOT_SUPERVISOR_EP, label = one of these, four
 * words: MR0 vCPU number, MR1 exit reason or enum vmm_stop_cause, MR2 guest rip, MR3 guest physical
 *   address or qualification.
 * It is the last thing that a run does: all its threads then rest, whatever the report is.
 */
enum vmm_report {
    VMM_REPORT_POWEROFF = 1, /* the guest switched itself off */
    VMM_REPORT_REBOOT = 2,   /* the guest asked for a reset: the supervisor starts it anew */
    VMM_REPORT_CRASH = 3,    /* triple fault, unmapped memory, an exit that is not handled */
    VMM_REPORT_REFUSED = 4,  /* could not start: bad configuration or image; MR1 vmm_stop_cause */
    VMM_REPORT_PANIC = 5,    /* the guest's kernel says that it cannot go on */
    VMM_REPORT_STUCK = 6,    /* it has kept an interrupt out for watchdog_ms */
};

enum vmm_stop_cause {
    VMM_CAUSE_GUEST = 0x10000,   /* the guest asked */
    VMM_CAUSE_CONFIG = 0x10001,  /* this structure is wrong */
    VMM_CAUSE_IMAGE = 0x10002,   /* kernel image or RAM disk is wrong or does not fit */
    VMM_CAUSE_CPU = 0x10003,     /* the processor or the kernel lacks something */
    VMM_CAUSE_EMULATE = 0x10004, /* an instruction that is not emulated */
    VMM_CAUSE_WATCHDOG = 0x10005,
    /* below 0x10000: a basic exit reason */
};

#endif
