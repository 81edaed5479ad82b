/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel API test suite runs as the initial task. A group tests one thing and prints one line:
 *
 *      ok NAME
 *      FAIL NAME: WHAT: expected .. got .. at FILE:LINE        (one for each failed check)
 *      skip NAME: WHY
 *
 * and at the end "N passed, N failed". Checks go on after a failure; REQUIRE ends the group. A
 * fault of the testing thread ends the group, too: a supervisor thread reports it and goes on with
 * the next.
 *
 * Objects    Each group gets an untyped of GROUP_UNTYPED_BITS and a range of empty slots. Whatever
 *            it makes of them is deleted at its end; further threads must be those of
 *            thread_create.
 * Threads    Groups run at priority TEST_PRIORITY, with maximum controlled priority 255. The user
 *            library's IPC buffer is this thread's: others use calls that carry words in registers.
 * Units      times are in microseconds unless they say ticks
 */
#ifndef TESTS_KERNEL_HARNESS_H
#define TESTS_KERNEL_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sel4/sel4.h>

#include "user/start/start.h"

#define PAGE_BYTES         4096
#define TEST_PRIORITY      200
#define GROUP_UNTYPED_BITS 25

#define ARRAY_LENGTH(a) (sizeof(a) / sizeof((a)[0]))

/* --- groups ---------------------------------------------------------------------------------- */

struct test_group {
    const char *name;
    void (*run)(void);
};

struct test_suite {
    const char *name;
    const struct test_group *groups;
    unsigned nr_groups;
};

#define TEST_SUITE(suite, ...)                                                                     \
    static const struct test_group suite##_groups[] = { __VA_ARGS__ };                             \
    const struct test_suite suite##_suite = { #suite, suite##_groups, ARRAY_LENGTH(suite##_groups) }

extern const struct test_suite bootinfo_suite, debug_suite, dispatch_suite, untyped_suite,
    cnode_suite, tcb_suite, endpoint_suite, notification_suite, reply_suite, sched_suite, irq_suite,
    io_port_suite, frame_suite, paging_suite, asid_suite, fault_suite, preemption_suite, vcpu_suite,
    ept_suite, guest_suite, isolation_suite, hostile_suite, extension_suite, virtual_apic_suite,
    smp_suite, smp_stress_suite, restart_suite, start_suite;

/* --- checks ---------------------------------------------------------------------------------- */

bool check_equal(seL4_Word got, seL4_Word expected, const char *what, const char *file, int line);
_Noreturn void group_abort(void);
/* The group cannot run here. */
_Noreturn void group_skip(const char *why);

#define CHECK_EQ(got, expected)                                                                    \
    check_equal((seL4_Word)(got), (seL4_Word)(expected), #got, __FILE__, __LINE__)
#define CHECK(condition) check_equal(!!(condition), 1, #condition, __FILE__, __LINE__)
#define CHECK_OK(call)   CHECK_EQ(call, seL4_NoError)
#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!CHECK(condition))                                                                     \
            group_abort();                                                                         \
    } while (0)
#define REQUIRE_OK(call)                                                                           \
    do {                                                                                           \
        if (!CHECK_OK(call))                                                                       \
            group_abort();                                                                         \
    } while (0)

/*
 * For what depends on the clock: checked only where time is exact, that is in counted runs.
 * Elsewhere the host may stop the emulator at any moment, and its time goes on.
 */
#define CHECK_TIME(condition) (time_is_exact() ? CHECK(condition) : true)

/* Errors with their words, which the stubs have put into the IPC buffer. */
void check_error(seL4_Word got, seL4_Word error, unsigned nr_words, const seL4_Word *words,
                 const char *what, const char *file, int line);
#define CHECK_ERROR(call, error, ...)                                                              \
    check_error((seL4_Word)(call), error, sizeof((seL4_Word[]){ 0, ##__VA_ARGS__ }) / 8 - 1,       \
                (seL4_Word[]){ 0, ##__VA_ARGS__ } + 1, #call, __FILE__, __LINE__)
#define CHECK_ARGUMENT(call, number)   CHECK_ERROR(call, seL4_InvalidArgument, number)
#define CHECK_CAPABILITY(call, number) CHECK_ERROR(call, seL4_InvalidCapability, number)
#define CHECK_RANGE(call, min, max)    CHECK_ERROR(call, seL4_RangeError, min, max)
#define CHECK_ILLEGAL(call)            CHECK_ERROR(call, seL4_IllegalOperation)
/* The words behind `source` are the lookup failure. */
#define CHECK_LOOKUP(call, source, ...) CHECK_ERROR(call, seL4_FailedLookup, source, __VA_ARGS__)

/* --- the machine ----------------------------------------------------------------------------- */

extern seL4_BootInfo *boot;
extern seL4_Word tsc_mhz;
extern seL4_Word extensions; /* enum bulkhead_extension */

static inline seL4_Word ticks_now(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (seL4_Word)high << 32 | low;
}

static inline seL4_Word us_now(void)
{
    return ticks_now() / tsc_mhz;
}

/* QEMU's -icount shift=0 makes each instruction a nanosecond and a tick. */
static inline bool time_is_exact(void)
{
    return tsc_mhz >= 999 && tsc_mhz <= 1001;
}

/* Keeps the processor busy; returns when that much real time has gone. */
void busy_wait(seL4_Word us);

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};
struct cpuid cpuid(uint32_t leaf, uint32_t subleaf);
bool cpu_is_amd(void);
/* SVM or VMX, and a kernel that uses it. */
bool have_virtualisation(void);

/* --- objects --------------------------------------------------------------------------------- */

#define ROOT  seL4_CapInitThreadCNode
#define DEPTH 64

extern seL4_CPtr group_untyped;

/* The next empty slot, or several in a row. */
seL4_CPtr slot_new(void);
seL4_CPtr slots_new(unsigned count);
/* A new object from the group's untyped; ends the group if that fails. */
seL4_CPtr object_new(seL4_Word type, seL4_Word size_bits);
seL4_Error retype(seL4_CPtr untyped, seL4_Word type, seL4_Word size_bits, seL4_CPtr slot,
                  seL4_Word count);
/* A copy of a capability in a new slot. */
seL4_CPtr cap_copy(seL4_CPtr cap, seL4_CapRights_t rights);
seL4_CPtr cap_mint(seL4_CPtr cap, seL4_CapRights_t rights, seL4_Word badge);
seL4_Error cap_delete(seL4_CPtr cap);
seL4_Error cap_revoke(seL4_CPtr cap);
/* The kind that DebugCapIdentify tells (ABI tags); 0: empty. */
seL4_Word cap_tag(seL4_CPtr cap);

enum cap_tag {
    TAG_NULL = 0,
    TAG_UNTYPED = 2,
    TAG_ENDPOINT = 4,
    TAG_NOTIFICATION = 6,
    TAG_REPLY = 8,
    TAG_CNODE = 10,
    TAG_TCB = 12,
    TAG_IRQ_CONTROL = 14,
    TAG_IRQ_HANDLER = 16,
    TAG_ZOMBIE = 18,
    TAG_DOMAIN = 20,
    TAG_SCHED_CONTEXT = 22,
    TAG_SCHED_CONTROL = 24,
    TAG_FRAME = 1,
    TAG_PAGE_TABLE = 3,
    TAG_PAGE_DIRECTORY = 5,
    TAG_PDPT = 7,
    TAG_PML4 = 9,
    TAG_ASID_CONTROL = 11,
    TAG_ASID_POOL = 13,
    TAG_IO_SPACE = 15,
    TAG_IO_PAGE_TABLE = 17,
    TAG_IO_PORT = 19,
    TAG_VCPU = 21,
    TAG_EPT_PT = 23,
    TAG_EPT_PD = 25,
    TAG_EPT_PDPT = 27,
    TAG_EPT_PML4 = 29,
    TAG_IO_PORT_CONTROL = 31,
};

/* A RAM or device untyped of the boot information with at least that size; 0 if there is none. */
seL4_CPtr boot_untyped_find(bool device, seL4_Word min_bits, seL4_UntypedDesc *desc);

/* An invocation word by word; what is not given is 0. */
seL4_Word invoke(seL4_CPtr object, seL4_Word label, unsigned nr_caps, const seL4_CPtr *caps,
                 unsigned length, const seL4_Word *words);

/* --- memory ---------------------------------------------------------------------------------- */

/* An address range of ours in which nothing is mapped: 512 GiB below 2^47, PDPT included. */
#define TEST_VADDR 0x10000000000ull

/* Capability of the frame in which this address of the program's image lies. */
seL4_CPtr image_frame(const void *address);
/* Maps with the paging structures that it needs, from the group's untyped. */
seL4_Error frame_map(seL4_CPtr frame, seL4_CPtr vspace, seL4_Word vaddr, seL4_CapRights_t rights,
                     seL4_Word attributes);
/* A new vspace with an ASID. */
seL4_CPtr vspace_new(void);

/* --- threads --------------------------------------------------------------------------------- */

#define MAX_THREADS 8

struct thread {
    seL4_CPtr tcb;
    seL4_CPtr sc; /* 0: none */
    seL4_IPCBuffer *ipc;
    seL4_CPtr ipc_frame;
    char *stack_top;
    volatile seL4_Word done; /* set by the thread's function, if it wants */
    volatile seL4_Word result[8];
};

typedef void (*thread_function)(struct thread *self, seL4_Word argument);

/*
 * When its function returns, a thread suspends itself.
 *
 * Thread number n (0 .. MAX_THREADS - 1) of the group, not yet running, in our CSpace and VSpace.
 * With a budget it gets its own scheduling context; with budget 0 none. fault_ep 0: no handler.
 */
struct thread *thread_create(unsigned n, thread_function function, seL4_Word argument,
                             unsigned priority, seL4_Word budget, seL4_Word period,
                             seL4_CPtr fault_ep);
/* It is stopped, and begins with this function when it is resumed. */
void thread_set_entry(struct thread *thread, thread_function function, seL4_Word argument);
void thread_start(struct thread *thread);
/* Both. Round robin with 5 ms. */
struct thread *thread_run(unsigned n, thread_function function, seL4_Word argument,
                          unsigned priority);
/* Lets threads of lower priority run for that long. */
void sleep_us(seL4_Word us);
/* However slow the machine: what has not happened by then never will. */
#define PATIENCE_US 60000000
/* Until thread->done, or too long a time; returns whether it is done. */
bool thread_wait(struct thread *thread, seL4_Word timeout_us);

seL4_Error sc_configure(seL4_CPtr sc, seL4_Word budget, seL4_Word period, seL4_Word extra_refills,
                        seL4_Word badge, seL4_Word flags);

/* A receive that cannot block for ever: the message, or false. Words 0 to 3 in registers. */
struct message {
    seL4_Word badge;
    seL4_MessageInfo_t info;
    seL4_Word word[4];
};

static inline struct message sys(seL4_Int64 number, seL4_Word rdi, seL4_MessageInfo_t info,
                                 seL4_Word w0, seL4_Word w1, seL4_Word w2, seL4_Word w3,
                                 seL4_Word r12, seL4_Word r13)
{
    struct sel4_registers registers = { rdi, info.words[0], w0, w1, w2, w3 };

    sel4_syscall(number, &registers, r12, r13);
    return (struct message){ registers.rdi,
                             { { registers.rsi } },
                             { registers.mr0, registers.mr1, registers.mr2, registers.mr3 } };
}

#define INFO(label, length) seL4_MessageInfo_new(label, 0, 0, length)
#define LABEL(message)      seL4_MessageInfo_get_label((message).info)
#define LENGTH(message)     seL4_MessageInfo_get_length((message).info)

/* --- the supervisor's view (main.c) ---------------------------------------------------------- */

void harness_begin(seL4_BootInfo *info);
void harness_run(const struct test_suite *suite);
_Noreturn void harness_end(void);

#endif
