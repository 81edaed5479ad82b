/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The platform that the kernel's portable half (kernel/object, sched, api, vspace) is compiled
 * against on the host: physical memory, time, interrupts, ports, translation caches, FPU, panic.
 * One fake for all host tests and fuzzers of the kernel.
 *
 * Physical memory is one anonymous mapping that starts at physical address 0; touching more than
 * there is ends the test. Everything else is recorded or set in `fakes`.
 */
#ifndef TESTS_UNIT_KERNEL_FAKES_H
#define TESTS_UNIT_KERNEL_FAKES_H

#include <setjmp.h>

#include "kernel/core/config.h"
#include "kernel/core/types.h"

#define FAKE_PINS 24u

struct tcb;

struct fakes {
    ticks_t now;
    ticks_t timer; /* last deadline set */
    bool interrupt_pending;
    void (*on_interrupt_look)(void); /* called when the kernel looks for one */
    bool has_1g, has_nx;
    bool pin_masked[FAKE_PINS];
    unsigned pin_vector[FAKE_PINS];
    u32 port_value; /* what port_read returns, and port_write last wrote */
    u16 port;       /* of the last access, and its width in bytes */
    unsigned port_width;
    u64 flushed_pages, flushed_spaces, flushed_nested;
    hpa_t flushed_root; /* of the last flush */
    /* A test's own translation cache hears of flushes here. */
    void (*on_flush_page)(hpa_t root, u64 vaddr);
    void (*on_flush_space)(hpa_t root);
    void (*on_flush_nested)(hpa_t root);
    struct tcb *running[CONFIG_MAX_CORES]; /* last switched to; NULL: idle */
    void (*on_asked)(void); /* another core than the one that is played has been asked: host_core */
    /* Plays the other core while a core waits for its own lock, which it then gets. */
    void (*on_lock_wait)(void);

    /* A panic ends the program, unless a test expects one: then it comes back to panic_return. */
    bool expect_panic;
    jmp_buf panic_return;
    char panic_message[256];
    bool quiet; /* drops what the kernel prints */
};

extern struct fakes fakes;

/* Fresh memory (zeroed), cores and fakes. */
void fakes_reset(u64 memory_bytes);
u64 fakes_memory_bytes(void);

/* Runs the statement; true if it panicked. */
#define panics(statement)                                                                          \
    ({                                                                                             \
        fakes.expect_panic = true;                                                                 \
        bool panicked_ = setjmp(fakes.panic_return) != 0;                                          \
        if (!panicked_) {                                                                          \
            statement;                                                                             \
        }                                                                                          \
        fakes.expect_panic = false;                                                                \
        panicked_;                                                                                 \
    })

#endif
