/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/init/failure.h"

#include <stdarg.h>

#include "lib/format.h"
#include "user/start/start.h"

const char *error_name(seL4_Error error)
{
    static const char *const names[seL4_NumErrors] = {
        [seL4_NoError] = "NoError",
        [seL4_InvalidArgument] = "InvalidArgument",
        [seL4_InvalidCapability] = "InvalidCapability",
        [seL4_IllegalOperation] = "IllegalOperation",
        [seL4_RangeError] = "RangeError",
        [seL4_AlignmentError] = "AlignmentError",
        [seL4_FailedLookup] = "FailedLookup",
        [seL4_TruncatedMessage] = "TruncatedMessage",
        [seL4_DeleteFirst] = "DeleteFirst",
        [seL4_RevokeFirst] = "RevokeFirst",
        [seL4_NotEnoughMemory] = "NotEnoughMemory",
    };

    return (unsigned)error < seL4_NumErrors ? names[error] : "unknown error";
}

/* How many words of the answer explain this error. */
static int detail_words(seL4_Error error)
{
    switch (error) {
    case seL4_InvalidArgument:
    case seL4_InvalidCapability:
    case seL4_NotEnoughMemory:
        return 1;
    case seL4_RangeError:
        return 2;
    case seL4_FailedLookup:
        return 3;
    default:
        return 0;
    }
}

static _Noreturn void halt(void)
{
    print("[bulkhead] stopped\n");
    for (;;) {
        seL4_TCB_Suspend(seL4_CapInitThreadTCB);
    }
}

void require(seL4_Error error, const char *step, const char *name, uint64_t part)
{
    seL4_Word words[3] = { seL4_GetMR(0), seL4_GetMR(1), seL4_GetMR(2) };

    if (error == seL4_NoError) {
        return;
    }
    print("[bulkhead] cannot %s '%s' (number %lu): %s", step, name, (unsigned long)part,
          error_name(error));
    for (int i = 0; i < detail_words(error); i++) {
        print("%s%lu", i == 0 ? " " : ", ", words[i]);
    }
    print("\n");
    halt();
}

static void put(void *context, char c)
{
    (void)context;
    print_char(c);
}

_Noreturn void stop(const char *format, ...)
{
    va_list arguments;

    print("[bulkhead] ");
    va_start(arguments, format);
    format_to(put, NULL, format, arguments);
    va_end(arguments);
    print("\n");
    halt();
}
