/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/kernel/fakes.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kernel/core/core.h"
#include "kernel/core/lock.h"
#include "kernel/core/memory.h"
#include "kernel/core/panic.h"
#include "kernel/core/print.h"
#include "kernel/core/remote.h"
#include "kernel/core/time.h"
#include "kernel/object/io_port.h"
#include "kernel/object/irq.h"
#include "kernel/object/tcb.h"
#include "kernel/sched/sched.h"
#include "kernel/vspace/tlb.h"
#include "kernel/x86/entry.h"
#include "kernel/x86/fpu.h"

struct fakes fakes;

u64 host_physical_window;
u32 tsc_mhz = 1000;
struct core cores[CONFIG_MAX_CORES];
unsigned nr_cores = 1;
unsigned host_core;

static u8 *memory;
static u64 memory_bytes;
static u64 kernel_root[512] __attribute__((aligned(4096)));
static struct tcb idle_threads[CONFIG_MAX_CORES];

static void memory_renew(u64 bytes)
{
    if (memory)
        munmap(memory, memory_bytes);
    memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                  -1, 0);
    assert(memory != MAP_FAILED);
    memory_bytes = bytes;
    host_physical_window = (u64)(uintptr_t)memory;
}

static void core_renew(unsigned id)
{
    struct core *core = &cores[id];

    memset(core, 0, sizeof *core);
    memset(&idle_threads[id], 0, sizeof idle_threads[id]);
    core->self = core;
    core->id = id;
    core->idle = &idle_threads[id];
    core->idle->state = THREAD_IDLE;
    core->current = core->idle;
}

void fakes_reset(u64 bytes)
{
    memory_renew(bytes);
    memset(&fakes, 0, sizeof fakes);
    fakes.has_1g = true;
    fakes.has_nx = true;
    nr_cores = 1;
    host_core = 0;
    kernel_root[511] = 0x123003;
    for (unsigned id = 0; id < CONFIG_MAX_CORES; id++)
        core_renew(id);
}

u64 fakes_memory_bytes(void)
{
    return memory_bytes;
}

/* --- messages -------------------------------------------------------------------------------- */

void panic(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(fakes.panic_message, sizeof fakes.panic_message, format, arguments);
    va_end(arguments);
    if (fakes.expect_panic)
        longjmp(fakes.panic_return, 1);
    fprintf(stderr, "kernel panic: %s\n", fakes.panic_message);
    abort();
}

void print(const char *format, ...)
{
    va_list arguments;

    if (fakes.quiet)
        return;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
}

void print_char(char c)
{
    if (!fakes.quiet)
        putchar(c);
}

/* --- locks ----------------------------------------------------------------------------------- */

/*
 * A core's own lock is the real one (lock.h); all cores' locks are nobody's. The test plays one
 * core at a time, so nobody waits unless the test has taken a ticket first, and a core that is
 * asked for something does it at once.
 */
void unlock(void)
{
    if (this_core()->held_locks == HOLDS_THIS_CORE)
        unlock_this_core();
}

void lock_all_cores(void)
{
    unlock();
}

bool lock_holds_this_core(void)
{
    return true;
}
bool lock_holds_all_cores(void)
{
    return true;
}

void ticket_wait(const struct ticket_lock *lock, u32 ticket)
{
    struct ticket_lock *mine = &this_core()->lock;

    if (!fakes.on_lock_wait || lock != mine)
        panic("core %u waits for ticket %u of lock %p", host_core, ticket, (const void *)lock);
    fakes.on_lock_wait();
    mine->now_serving = ticket;
}

bool lock_is_wanted(void)
{
    return false;
}

void remote_run(u64 core_mask, remote_work *work, u64 a, u64 b)
{
    unsigned asker = host_core;

    for (host_core = 0; host_core < nr_cores; host_core++)
        if (core_mask >> host_core & 1) {
            if (fakes.on_asked && host_core != asker)
                fakes.on_asked();
            work(a, b);
        }
    host_core = asker;
}

void remote_serve(void)
{
}

/* --- time and interrupts --------------------------------------------------------------------- */

ticks_t time_now(void)
{
    return fakes.now;
}

void timer_set(ticks_t deadline)
{
    fakes.timer = deadline;
}

bool interrupt_is_pending(void)
{
    if (fakes.on_interrupt_look)
        fakes.on_interrupt_look();
    return fakes.interrupt_pending;
}

unsigned ioapic_pins(void)
{
    return FAKE_PINS;
}

void ioapic_configure(unsigned pin, unsigned vector, bool level, bool active_low, u32 apic_id)
{
    (void)level;
    (void)active_low;
    (void)apic_id;
    assert(pin < FAKE_PINS && vector >= IRQ_FIRST_VECTOR);
    fakes.pin_vector[pin] = vector;
    fakes.pin_masked[pin] = true;
}

void ioapic_mask(unsigned pin, bool masked)
{
    assert(pin < FAKE_PINS);
    fakes.pin_masked[pin] = masked;
}

static void port_accessed(u16 port, unsigned width)
{
    assert(width == 1 || width == 2 || width == 4);
    fakes.port = port;
    fakes.port_width = width;
}

u32 port_read(u16 port, unsigned width)
{
    port_accessed(port, width);
    return fakes.port_value;
}

void port_write(u16 port, unsigned width, u32 value)
{
    port_accessed(port, width);
    fakes.port_value = value;
}

/* --- the processor --------------------------------------------------------------------------- */

/* Only the real processor can leave the kernel from within a system call. */
void kernel_leave_by_interrupt(void)
{
    panic("a guest was left for an interrupt");
}

void kernel_resume(const struct tcb *tcb)
{
    if (this_core()->current != tcb || tcb->state != THREAD_RUNNING || !lock_holds_this_core())
        panic("the short way out is not for this thread");
}

void kernel_switch_and_resume(struct tcb *tcb, struct core *core)
{
    (void)core;
    arch_switch_to_thread(tcb);
    kernel_resume(tcb);
}

void tlb_flush_page(hpa_t root, u64 vaddr)
{
    fakes.flushed_pages++;
    fakes.flushed_root = root;
    if (fakes.on_flush_page)
        fakes.on_flush_page(root, vaddr);
}

void tlb_flush_space(hpa_t root)
{
    fakes.flushed_spaces++;
    fakes.flushed_root = root;
    if (fakes.on_flush_space)
        fakes.on_flush_space(root);
}

void tlb_flush_nested(hpa_t root)
{
    fakes.flushed_nested++;
    fakes.flushed_root = root;
    if (fakes.on_flush_nested)
        fakes.on_flush_nested(root);
}

bool paging_has_1g(void)
{
    return fakes.has_1g;
}
bool paging_has_nx(void)
{
    return fakes.has_nx;
}

u64 *paging_kernel_root(void)
{
    return kernel_root;
}

void arch_switch_to_thread(struct tcb *tcb)
{
    fakes.running[host_core] = tcb;
}

void arch_switch_to_idle(struct tcb *idle)
{
    (void)idle;
    fakes.running[host_core] = NULL;
}

void fpu_area_init(u8 *area)
{
    memset(area, 0, FPU_AREA_BYTES);
}

bool fpu_switch_to_thread(struct tcb *tcb)
{
    return !tcb->fpu_disabled;
}
void fpu_switch_to_vcpu(struct vcpu *vcpu)
{
    (void)vcpu;
}
void fpu_thread_changed(struct tcb *tcb)
{
    (void)tcb;
}
void fpu_release_thread(struct tcb *tcb)
{
    (void)tcb;
}
void fpu_release_vcpu(struct vcpu *vcpu)
{
    (void)vcpu;
}

void fpu_settle_xcr0(struct vcpu *vcpu)
{
    (void)vcpu;
}
