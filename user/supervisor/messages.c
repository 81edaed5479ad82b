/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/supervisor/messages.h"

#include "abi/faults.h"
#include "lib/format.h"
#include "user/vmm/config.h"

#define HEX(word) (unsigned long long)(word)

enum outcome message_report(const struct message *message, char text[MESSAGE_BYTES])
{
    const uint64_t *words = message->words;

    switch (message->label) {
    case VMM_REPORT_POWEROFF:
        format_text(text, MESSAGE_BYTES, "powered off");
        return OUTCOME_POWEROFF;
    case VMM_REPORT_REBOOT:
        format_text(text, MESSAGE_BYTES, "rebooting");
        return OUTCOME_REBOOT;
    case VMM_REPORT_CRASH:
        format_text(text, MESSAGE_BYTES, "crashed: reason 0x%llx, rip 0x%llx, detail 0x%llx",
                    HEX(words[1]), HEX(words[2]), HEX(words[3]));
        return OUTCOME_FAILURE;
    case VMM_REPORT_PANIC:
        format_text(text, MESSAGE_BYTES, "the guest's kernel panicked: rip 0x%llx", HEX(words[2]));
        return OUTCOME_FAILURE;
    case VMM_REPORT_STUCK:
        format_text(text, MESSAGE_BYTES, "stuck: vCPU %llu keeps interrupts out, rip 0x%llx",
                    HEX(words[0]), HEX(words[2]));
        return OUTCOME_FAILURE;
    case VMM_REPORT_REFUSED:
        format_text(text, MESSAGE_BYTES, "could not be started: cause 0x%llx, detail 0x%llx",
                    HEX(words[1]), HEX(words[3]));
        return OUTCOME_REFUSED;
    default:
        format_text(text, MESSAGE_BYTES, "its monitor sends nonsense");
        return OUTCOME_FAILURE;
    }
}

void message_fault(const struct message *message, const char *who, char text[MESSAGE_BYTES])
{
    const uint64_t *words = message->words;

    switch (message->label) {
    case seL4_Fault_CapFault:
        format_text(text, MESSAGE_BYTES, "%s stopped: capability fault at rip 0x%llx, cptr 0x%llx",
                    who, HEX(words[seL4_CapFault_IP]), HEX(words[seL4_CapFault_Addr]));
        break;
    case seL4_Fault_UnknownSyscall:
        format_text(text, MESSAGE_BYTES, "%s stopped: unknown system call", who);
        break;
    case seL4_Fault_UserException:
        format_text(text, MESSAGE_BYTES,
                    "%s stopped: exception %llu at rip 0x%llx, error code 0x%llx", who,
                    HEX(words[seL4_UserException_Number]), HEX(words[seL4_UserException_FaultIP]),
                    HEX(words[seL4_UserException_Code]));
        break;
    case seL4_Fault_VMFault:
        format_text(text, MESSAGE_BYTES, "%s stopped: page fault at rip 0x%llx, address 0x%llx",
                    who, HEX(words[0]), HEX(words[1]));
        break;
    default:
        format_text(text, MESSAGE_BYTES, "%s stopped: fault %llu", who, HEX(message->label));
        break;
    }
}
