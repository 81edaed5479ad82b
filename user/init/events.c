/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/init/events.h"

#include <stdarg.h>

#include "abi/faults.h"
#include "lib/format.h"
#include "user/vmm/config.h"

void events_init(struct events *events, const struct plan *plan)
{
    *events = (struct events){ .running = plan->nr_components };
}

static void say(char line[EVENT_LINE_BYTES], const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void say(char line[EVENT_LINE_BYTES], const char *name, const char *format, ...)
{
    int length = format_text(line, EVENT_LINE_BYTES, "vm '%.40s': ", name);
    va_list arguments;

    va_start(arguments, format);
    format_text_v(line + length, EVENT_LINE_BYTES - (unsigned)length, format, arguments);
    va_end(arguments);
}

static bool is_worth_reporting(uint32_t number)
{
    return number <= 8 || (number & (number - 1)) == 0;
}

static bool note(struct event_state *state)
{
    if (state->messages < UINT32_MAX) {
        state->messages++;
    }
    return is_worth_reporting(state->messages);
}

static bool end(struct events *events, struct event_state *state)
{
    state->ended = true;
    events->running--;
    return true;
}

#define HEX(word) (unsigned long long)(word)

/* What a monitor says about its VM. */
static bool take_report(struct events *events, struct event_state *state, const char *name,
                        const struct event_message *message, char line[EVENT_LINE_BYTES])
{
    const uint64_t *words = message->words;

    switch (message->label) {
    case VMM_REPORT_POWEROFF:
        say(line, name, "powered off");
        return end(events, state);
    case VMM_REPORT_REBOOT:
        say(line, name, "rebooting");
        return note(state);
    case VMM_REPORT_CRASH:
        say(line, name, "crashed: reason 0x%llx, rip 0x%llx, detail 0x%llx", HEX(words[1]),
            HEX(words[2]), HEX(words[3]));
        return end(events, state);
    case VMM_REPORT_REFUSED:
        say(line, name, "could not be started: cause 0x%llx, detail 0x%llx", HEX(words[1]),
            HEX(words[3]));
        return end(events, state);
    default:
        say(line, name, "its monitor sends nonsense");
        return note(state);
    }
}

/* What the kernel says about a monitor's thread, which stands still from then on. */
static bool take_fault(struct events *events, struct event_state *state, const char *name,
                       const struct event_message *message, char line[EVENT_LINE_BYTES])
{
    const uint64_t *words = message->words;

    switch (message->label) {
    case seL4_Fault_CapFault:
        say(line, name, "its monitor stopped: capability fault at rip 0x%llx, cptr 0x%llx",
            HEX(words[seL4_CapFault_IP]), HEX(words[seL4_CapFault_Addr]));
        break;
    case seL4_Fault_UnknownSyscall:
        say(line, name, "its monitor stopped: unknown system call");
        break;
    case seL4_Fault_UserException:
        say(line, name, "its monitor stopped: exception %llu at rip 0x%llx, error code 0x%llx",
            HEX(words[seL4_UserException_Number]), HEX(words[seL4_UserException_FaultIP]),
            HEX(words[seL4_UserException_Code]));
        break;
    case seL4_Fault_VMFault:
        say(line, name, "its monitor stopped: page fault at rip 0x%llx, address 0x%llx",
            HEX(words[0]), HEX(words[1]));
        break;
    default:
        say(line, name, "its monitor stopped: fault %llu", HEX(message->label));
        break;
    }
    return end(events, state);
}

bool events_take(struct events *events, const struct plan *plan,
                 const struct event_message *message, char line[EVENT_LINE_BYTES])
{
    uint64_t number = message->badge & ~PLAN_BADGE_FAULT;
    struct event_state *state;
    const char *name;

    if (number == 0 || number > plan->nr_components || number > EVENTS_MAX_COMPONENTS) {
        format_text(line, EVENT_LINE_BYTES, "message from nobody: badge 0x%llx",
                    HEX(message->badge));
        return true;
    }
    state = &events->states[number - 1];
    if (state->ended) {
        return false;
    }
    name = plan_owner_name(plan, (uint32_t)number);
    return (message->badge & PLAN_BADGE_FAULT) != 0
               ? take_fault(events, state, name, message, line)
               : take_report(events, state, name, message, line);
}
