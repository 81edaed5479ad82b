/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end: says what happened, where, and how it came to that, and stops. Uses nothing that could
 * be broken itself beyond the serial port; a panic within a panic only stops.
 */
#include "kernel/core/panic.h"

#include "kernel/core/core.h"
#include "kernel/core/print.h"
#include "kernel/object/tcb.h"
#include "kernel/x86/apic.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/image.h"
#include "kernel/x86/traps.h"
#include "lib/string.h"

#define BACKTRACE_DEPTH 24

static bool panicking;

static NORETURN void stop(void)
{
    for (;;)
        __asm__ volatile("cli; hlt");
}

/* --- symbols --------------------------------------------------------------------------------- */

/* Lines of an address, a space and a name (make-symbols), by address. */
static void print_symbol(u64 address)
{
    const char *name = NULL, *name_end = NULL;
    u64 base = 0;

    for (const char *at = kernel_symbols_start; at < kernel_symbols_end; at = name_end + 1) {
        u64 value = 0;

        for (; *at != ' '; at++)
            value = value << 4 | (u64)(*at <= '9' ? *at - '0' : *at - 'a' + 10);
        if (value > address)
            break;
        base = value;
        name = at + 1;
        name_end = memchr(name, '\n', (size_t)(kernel_symbols_end - name));
    }
    print("  0x%lx", address);
    if (name && address - base < BIT(20))
        print("  %.*s + 0x%lx", (int)(name_end - name), name, address - base);
    print("\n");
}

/* --- backtrace ------------------------------------------------------------------------------- */

static bool is_code(u64 address)
{
    return address >= (u64)(uintptr_t)kernel_code_start &&
           address < (u64)(uintptr_t)kernel_code_end;
}

/*
 * Each frame holds the caller's frame and the return address; all stacks are in the kernel's data.
 */
static void print_backtrace(u64 frame)
{
    for (unsigned i = 0; i < BACKTRACE_DEPTH; i++) {
        if (frame < (u64)(uintptr_t)kernel_data_start || frame > (u64)(uintptr_t)kernel_end - 16 ||
            frame % 8)
            return;

        const u64 *words = (const u64 *)(uintptr_t)frame;

        if (!is_code(words[1]))
            return;
        print_symbol(words[1]);
        if (words[0] <= frame)
            return;
        frame = words[0];
    }
}

/* --- what is printed ------------------------------------------------------------------------- */

/* GS base may be the first thing that is broken. */
static const struct core *core_if_known(void)
{
    u64 base = rdmsr(MSR_GS_BASE) - (u64)(uintptr_t)cores;

    return base < sizeof(cores) && base % sizeof(cores[0]) == 0 ? &cores[base / sizeof(cores[0])]
                                                                : NULL;
}

static void begin(void)
{
    const struct core *core = core_if_known();

    if (__atomic_exchange_n(&panicking, true, __ATOMIC_RELAXED))
        stop();
    if (nr_cores > 1)
        apic_send_nmi_to_others(); /* which stop here, too */
    print("\nKERNEL PANIC on core ");
    if (core)
        print("%u: ", core->id);
    else
        print("?: ");
}

/* How it came to that: code is the last address known that is not in a frame, or 0. */
static NORETURN void end(u64 code, u64 frame)
{
    const struct core *core = core_if_known();

    print("cr0 %016lx  cr2 %016lx  cr3 %016lx  cr4 %016lx\n", read_cr0(), read_cr2(), read_cr3(),
          read_cr4());
    if (core && core->current)
        print("current thread: %s (state %u) at 0x%lx\n",
              core->current == core->idle ? "idle"
              : core->current->name[0]    ? core->current->name
                                          : "unnamed",
              core->current->state, core->current->context.rip);
    print("backtrace:\n");
    if (is_code(code))
        print_symbol(code);
    print_backtrace(frame);
    print("stopped\n");
    stop();
}

void panic(const char *format, ...)
{
    u64 rbp = (u64)(uintptr_t)__builtin_frame_address(0);
    va_list arguments;
    u64 rsp, rflags;

    __asm__ volatile("mov %%rsp, %0; pushfq; popq %1; cli" : "=r"(rsp), "=r"(rflags) : : "memory");
    begin();
    va_start(arguments, format);
    print_arguments(format, arguments);
    va_end(arguments);
    print("\nrsp %016lx  rbp %016lx  rfl %016lx\n", rsp, rbp, rflags);
    end(0, rbp);
}

/* The manual's mnemonics (SDM volume 3, section 6.3.1). */
static const char exception_names[][4] = { "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM",
                                           "#DF", "?",   "#TS", "#NP", "#SS", "#GP", "#PF", "?",
                                           "#MF", "#AC", "#MC", "#XM", "#VE", "#CP" };

static void print_registers(const struct trap_frame *f)
{
    const struct {
        const char *name;
        u64 value;
    } registers[] = {
        { "rax", f->rax }, { "rbx", f->rbx }, { "rcx", f->rcx },    { "rdx", f->rdx },
        { "rsi", f->rsi }, { "rdi", f->rdi }, { "rbp", f->rbp },    { "rsp", f->rsp },
        { "r8 ", f->r8 },  { "r9 ", f->r9 },  { "r10", f->r10 },    { "r11", f->r11 },
        { "r12", f->r12 }, { "r13", f->r13 }, { "r14", f->r14 },    { "r15", f->r15 },
        { "rip", f->rip }, { "cs ", f->cs },  { "rfl", f->rflags }, { "ss ", f->ss },
    };

    for (unsigned i = 0; i < ARRAY_LENGTH(registers); i++)
        print("%s %016lx%s", registers[i].name, registers[i].value, i % 4 == 3 ? "\n" : "  ");
}

void trap_panic(const struct trap_frame *frame)
{
    u64 vector = frame->vector;

    begin();
    print("%s (vector %lu, error code 0x%lx)\n",
          vector < ARRAY_LENGTH(exception_names) ? exception_names[vector] : "trap", vector,
          frame->error_code);
    print_registers(frame);
    end(frame->rip, frame->rbp);
}

void leave_panic(void)
{
    panic("the current thread cannot run: state %u", this_core()->current->state);
}

/* --- stack protector ------------------------------------------------------------------------- */

/* Set by boot.S before C code runs. */
extern u64 __stack_chk_guard;
u64 __stack_chk_guard = 1;

NORETURN void __stack_chk_fail(void);

void __stack_chk_fail(void)
{
    panic("a function has overwritten its stack frame");
}
