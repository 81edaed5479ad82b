/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/init/events.h"

#include <stdarg.h>

#include "abi/faults.h"
#include "lib/format.h"
#include "user/vmm/config.h"

void events_init(struct events *events, const struct plan *plan)
{
    *events = (struct events){ 0 };
    for (uint32_t i = 0; i < plan->nr_components; i++) {
        events->running += plan->components[i].kind == PLAN_COMPONENT_VM;
    }
}

/* The component that a message is about. */
struct subject {
    const char *name;
    bool is_vm;
};

static void say(char line[EVENT_LINE_BYTES], const struct subject *subject, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void say(char line[EVENT_LINE_BYTES], const struct subject *subject, const char *format, ...)
{
    int length = format_text(line, EVENT_LINE_BYTES,
                             "%s '%.40s': ", subject->is_vm ? "vm" : "server", subject->name);
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

static bool end(struct events *events, struct event_state *state, const struct subject *subject)
{
    state->ended = true;
    events->running -= subject->is_vm;
    return true;
}

#define HEX(word) (unsigned long long)(word)

/* What a monitor says about its VM. */
static bool take_report(struct events *events, struct event_state *state,
                        const struct subject *subject, const struct event_message *message,
                        char line[EVENT_LINE_BYTES])
{
    const uint64_t *words = message->words;

    switch (message->label) {
    case VMM_REPORT_POWEROFF:
        say(line, subject, "powered off");
        return end(events, state, subject);
    case VMM_REPORT_REBOOT:
        say(line, subject, "rebooting");
        return note(state);
    case VMM_REPORT_CRASH:
        say(line, subject, "crashed: reason 0x%llx, rip 0x%llx, detail 0x%llx", HEX(words[1]),
            HEX(words[2]), HEX(words[3]));
        return end(events, state, subject);
    case VMM_REPORT_REFUSED:
        say(line, subject, "could not be started: cause 0x%llx, detail 0x%llx", HEX(words[1]),
            HEX(words[3]));
        return end(events, state, subject);
    default:
        say(line, subject, "its monitor sends nonsense");
        return note(state);
    }
}

/* What the kernel says about a monitor's thread, which stands still from then on. */
static bool take_fault(struct events *events, struct event_state *state,
                       const struct subject *subject, const struct event_message *message,
                       char line[EVENT_LINE_BYTES])
{
    const char *who = subject->is_vm ? "its monitor" : "its program";
    const uint64_t *words = message->words;

    switch (message->label) {
    case seL4_Fault_CapFault:
        say(line, subject, "%s stopped: capability fault at rip 0x%llx, cptr 0x%llx", who,
            HEX(words[seL4_CapFault_IP]), HEX(words[seL4_CapFault_Addr]));
        break;
    case seL4_Fault_UnknownSyscall:
        say(line, subject, "%s stopped: unknown system call", who);
        break;
    case seL4_Fault_UserException:
        say(line, subject, "%s stopped: exception %llu at rip 0x%llx, error code 0x%llx", who,
            HEX(words[seL4_UserException_Number]), HEX(words[seL4_UserException_FaultIP]),
            HEX(words[seL4_UserException_Code]));
        break;
    case seL4_Fault_VMFault:
        say(line, subject, "%s stopped: page fault at rip 0x%llx, address 0x%llx", who,
            HEX(words[0]), HEX(words[1]));
        break;
    default:
        say(line, subject, "%s stopped: fault %llu", who, HEX(message->label));
        break;
    }
    return end(events, state, subject);
}

bool events_take(struct events *events, const struct plan *plan,
                 const struct event_message *message, char line[EVENT_LINE_BYTES])
{
    uint64_t number = message->badge & ~PLAN_BADGE_FAULT;
    struct event_state *state;
    struct subject subject;

    if (number == 0 || number > plan->nr_components || number > EVENTS_MAX_COMPONENTS) {
        format_text(line, EVENT_LINE_BYTES, "message from nobody: badge 0x%llx",
                    HEX(message->badge));
        return true;
    }
    state = &events->states[number - 1];
    if (state->ended) {
        return false;
    }
    subject = (struct subject){
        .name = plan_owner_name(plan, (uint32_t)number),
        .is_vm = plan->components[number - 1].kind == PLAN_COMPONENT_VM,
    };
    return (message->badge & PLAN_BADGE_FAULT) != 0
               ? take_fault(events, state, &subject, message, line)
               : take_report(events, state, &subject, message, line);
}
