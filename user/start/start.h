/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every program starts with: a stack, a way to say something, a way to give up.
 *
 * The entry point sets up a stack of START_STACK_BYTES and calls main with what was in rdi: the
 * address of the boot information in an initial task, whatever its creator chose in any other
 * program. initial_task_begin then makes it known to the user library. When main returns, or after
 * a panic, the program raises an invalid-opcode exception for whoever handles its faults.
 *
 * Runs       A program can be run again in the memory that an earlier run has left: all that it can
 *            write, but for the stacks, is zero when main begins. So it has no variables that begin
 *            with another value; cmake/user-program.ld refuses them. rsi is the run's mark: 0
 *            at the first start, later one that no earlier run has known; what is never run again
 *            may be started with anything there.
 *
 * Links with lib/string.c and lib/format.c.
 */
#ifndef USER_START_START_H
#define USER_START_START_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/bootinfo.h"
#include "user/start/stack.h"

/* The program's own. */
int main(seL4_Word argument);

/* Whether an earlier run has used this program's memory. */
bool program_is_restarted(void);

/* In an initial task: sets the library's boot information and IPC buffer. */
seL4_BootInfo *initial_task_begin(seL4_Word argument);

/* Where printed characters go; at first to seL4_DebugPutChar, which only debug kernels have. */
void print_to(void (*put)(char c));
void print_char(char c);

/* Formats as in lib/format.h. */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Says what went wrong and ends the program. */
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The time stamp counter (RDTSC), in ticks; bootinfo has their rate. */
static inline uint64_t time_stamp(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return low | (uint64_t)high << 32;
}

/* What we ourselves guarantee; never about what others send. */
#define ASSERT(condition)                                                                          \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0))                                                     \
            panic("%s:%d: assertion failed: %s\n", __FILE__, __LINE__, #condition);                \
    } while (0)

#endif
