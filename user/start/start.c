/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/start/start.h"

#include <sel4/sel4.h>

#include "lib/format.h"

/*
 * What -fstack-protector compares with. A constant: nothing random is to be had this early, and the
 * low zero byte still stops strings.
 */
extern const seL4_Word __stack_chk_guard;
const seL4_Word __stack_chk_guard = 0x5bd1e995c9f37a00;

_Static_assert(START_SYS_YIELD == seL4_SysYield, "entry.S gives up its turn");

/* entry.S: the run's mark and one, so that it differs before the first. */
extern volatile seL4_Word run_announced;

bool program_is_restarted(void)
{
    return run_announced - 1 != 0;
}

_Noreturn void program_end(void);
_Noreturn void __stack_chk_fail(void);

_Noreturn void __stack_chk_fail(void)
{
    panic("stack overrun, detected before the return to %p\n", __builtin_return_address(0));
}

static void debug_put_char(char c)
{
    seL4_DebugPutChar(c);
}

static void (*put_char)(char c);

void print_to(void (*put)(char c))
{
    put_char = put;
}

void print_char(char c)
{
    (put_char != NULL ? put_char : debug_put_char)(c);
}

static void put(void *context, char c)
{
    (void)context;
    print_char(c);
}

void print(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    format_to(put, NULL, format, arguments);
    va_end(arguments);
}

_Noreturn void panic(const char *format, ...)
{
    va_list arguments;

    print("panic: ");
    va_start(arguments, format);
    format_to(put, NULL, format, arguments);
    va_end(arguments);
    program_end();
}

seL4_BootInfo *initial_task_begin(seL4_Word argument)
{
    seL4_BootInfo *info = (seL4_BootInfo *)argument;

    seL4_InitBootInfo(info);
    seL4_SetIPCBuffer(info->ipcBuffer);
    return info;
}
