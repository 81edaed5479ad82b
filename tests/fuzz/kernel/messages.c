/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/fuzz/kernel/messages.h"

#include <string.h>

#include "abi/bootinfo.h"
#include "abi/gen/labels.h"
#include "abi/types.h"
#include "kernel/object/derivation.h"
#include "kernel/object/object.h"

struct playground playground;

/* --- choices --------------------------------------------------------------------------------- */

static const u8 *input, *input_end;
static u64 random_state;

void choices_begin(const u8 *data, size_t size)
{
    input = data;
    input_end = data + size;
    random_state = size * 0x9e3779b97f4a7c15ULL + 1;
    for (size_t i = 0; i < size; i++)
        random_state = (random_state ^ data[i]) * 0x100000001b3ULL;
}

bool choices_spent(void)
{
    return input == input_end;
}

static u8 next_byte(void)
{
    if (input < input_end)
        return *input++;
    random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (u8)(random_state >> 56);
}

unsigned choose(unsigned limit)
{
    unsigned value = next_byte();

    if (limit > 256)
        value = value << 8 | next_byte();
    return value % limit;
}

u64 choose_word(void)
{
    u64 value = 0;

    switch (choose(8)) {
    case 0:
        return ~0ULL >> choose(64);
    case 1:
        return BIT(choose(64));
    case 2:
        return BIT(choose(64)) - 1 - choose(3);
    case 3:
    case 4:
        return choose(70);
    case 5:
        return choose_play_slot();
    default:
        for (unsigned i = 0; i < 8; i++)
            value = value << 8 | next_byte();
        return value;
    }
}

/* --- slots ----------------------------------------------------------------------------------- */

u64 choose_play_slot(void)
{
    return playground.start + choose((unsigned)(playground.end - playground.start));
}

static u64 choose_any_slot(void)
{
    return chance(4) ? choose((unsigned)playground.start) : choose_play_slot();
}

static u64 choose_empty_slot(void)
{
    u64 slot = choose_play_slot();

    for (unsigned tries = 0; tries < 16 && !slot_is_empty(&playground.slots[slot]); tries++)
        slot =
            playground.start + (slot + 1 - playground.start) % (playground.end - playground.start);
    return slot;
}

u64 choose_slot_of(enum cap_type type)
{
    u64 first = 1 + choose((unsigned)playground.end - 1);

    for (u64 i = 0; i < playground.end; i++) {
        u64 slot = (first + i) % playground.end;

        if (playground.slots[slot].cap.type == type)
            return slot;
    }
    return choose_any_slot();
}

/* An untyped of RAM, mostly, and not so big that clearing it is all that happens. */
static u64 choose_untyped(void)
{
    for (unsigned tries = 0; tries < 12; tries++) {
        u64 slot = choose_slot_of(CAP_UNTYPED);
        struct cap cap = playground.slots[slot].cap;

        if (chance(16) ||
            (cap.type == CAP_UNTYPED && !cap_aux_get(cap, 6, 1) && cap_aux_get(cap, 0, 6) <= 21))
            return slot;
    }
    return choose_any_slot();
}

static u64 choose_vspace(void)
{
    return chance(3) ? choose_slot_of(CAP_PML4) : seL4_CapInitThreadVSpace;
}

/* --- messages -------------------------------------------------------------------------------- */

/*
 * What the words and extra capabilities of a method are. Words:
 *      s empty slot   S any play slot   d depth 64   0 zero   t object type and z its size   r
 * rights b badge or guard   c count   v address   a attributes   p priority   n 0..7   q vector o
 * I/O port   u budget   U period, not below   B IPC buffer address   w any word Capabilities: C
 * root CNode   V VSpace   P nested space   T K E N F U I as below   X T or N Y a space without ASID
 */
static const struct shape {
    const char *words, *caps;
} shapes[] = {
    [UntypedRetype] = { "tz00sc", "C" },
    [TCBReadRegisters] = { "nn", "" },
    [TCBWriteRegisters] = { "nnwwwwwwwwwwwwwwwwwwwwww", "" },
    [TCBCopyRegisters] = { "b", "T" },
    [TCBConfigure] = { "00B", "CVF" },
    [TCBSetPriority] = { "p", "T" },
    [TCBSetMCPriority] = { "p", "T" },
    [TCBSetSchedParams] = { "pp", "TKE" },
    [TCBSetTimeoutEndpoint] = { "", "E" },
    [TCBSetIPCBuffer] = { "B", "F" },
    [TCBSetSpace] = { "00", "ECV" },
    [TCBSuspend] = { "", "" },
    [TCBResume] = { "", "" },
    [TCBBindNotification] = { "", "N" },
    [TCBUnbindNotification] = { "", "" },
    [TCBSetTLSBase] = { "w", "" },
    [TCBSetFlags] = { "nn", "" },
    [CNodeRevoke] = { "Sd", "" },
    [CNodeDelete] = { "Sd", "" },
    [CNodeCancelBadgedSends] = { "ed", "" },
    [CNodeCopy] = { "sdSdr", "C" },
    [CNodeMint] = { "sdSdrb", "C" },
    [CNodeMove] = { "sdSd", "C" },
    [CNodeMutate] = { "sdSdb", "C" },
    [CNodeRotate] = { "sd0Sd0Sd", "CC" },
    [IRQIssueIRQHandler] = { "qsd", "C" },
    [IRQAckIRQ] = { "", "" },
    [IRQSetIRQHandler] = { "", "N" },
    [IRQClearIRQHandler] = { "", "" },
    [DomainSetSet] = { "0", "T" },
    [DomainScheduleConfigure] = { "n0w", "" },
    [DomainScheduleSetStart] = { "n", "" },
    [SchedControlConfigureFlags] = { "uUnbn", "K" },
    [SchedContextBind] = { "", "X" },
    [SchedContextUnbind] = { "", "" },
    [SchedContextUnbindObject] = { "", "X" },
    [SchedContextConsumed] = { "", "" },
    [SchedContextYieldTo] = { "", "" },
    [X86PDPTMap] = { "va", "V" },
    [X86PDPTUnmap] = { "", "" },
    [X86VCPUReadMSR] = { "w", "" },
    [X86VCPUWriteMSR] = { "ww", "" },
    [X86PageDirectoryMap] = { "va", "V" },
    [X86PageDirectoryUnmap] = { "", "" },
    [X86PageTableMap] = { "va", "V" },
    [X86PageTableUnmap] = { "", "" },
    [X86IOPageTableMap] = { "v", "C" },
    [X86IOPageTableUnmap] = { "", "" },
    [X86PageMap] = { "vra", "V" },
    [X86PageUnmap] = { "", "" },
    [X86PageMapIO] = { "rv", "C" },
    [X86PageGetAddress] = { "", "" },
    [X86PageMapEPT] = { "vra", "P" },
    [X86ASIDControlMakePool] = { "sd", "UC" },
    [X86ASIDPoolAssign] = { "", "Y" },
    [X86IOPortControlIssue] = { "oosd", "C" },
    [X86IOPortIn8] = { "o", "" },
    [X86IOPortIn16] = { "o", "" },
    [X86IOPortIn32] = { "o", "" },
    [X86IOPortOut8] = { "ow", "" },
    [X86IOPortOut16] = { "ow", "" },
    [X86IOPortOut32] = { "ow", "" },
    [X86IRQIssueIRQHandlerIOAPIC] = { "sd0n00q", "C" },
    [X86IRQIssueIRQHandlerMSI] = { "sdnnnwq", "C" },
    [TCBSetEPTRoot] = { "", "P" },
    [X86VCPUSetTCB] = { "", "T" },
    [X86VCPUReadVMCS] = { "w", "" },
    [X86VCPUWriteVMCS] = { "ww", "" },
    [X86VCPUEnableIOPort] = { "oo", "I" },
    [X86VCPUDisableIOPort] = { "oo", "" },
    [X86VCPUWriteRegisters] = { "wwwwwwwwwwwwwww", "" },
    [X86EPTPDPTMap] = { "va", "P" },
    [X86EPTPDPTUnmap] = { "", "" },
    [X86EPTPDMap] = { "va", "P" },
    [X86EPTPDUnmap] = { "", "" },
    [X86EPTPTMap] = { "va", "P" },
    [X86EPTPTUnmap] = { "", "" },
};

/* By label: what kind of capability it is a method of. */
static const u8 invoked_types[] = {
#define METHOD(number, label, object, ...) [number] = CAP_##object,
#include "abi/invocations.def"
};

/* The methods without which nothing happens come more often. */
static const u8 frequent[] = {
    UntypedRetype,
    UntypedRetype,
    UntypedRetype,
    UntypedRetype,
    UntypedRetype,
    UntypedRetype,
    CNodeCopy,
    CNodeCopy,
    CNodeMint,
    CNodeMint,
    CNodeMove,
    CNodeDelete,
    CNodeRevoke,
    CNodeRotate,
    CNodeMutate,
    CNodeCancelBadgedSends,
    TCBConfigure,
    TCBConfigure,
    TCBSetSchedParams,
    TCBSetSchedParams,
    TCBResume,
    TCBResume,
    TCBSuspend,
    SchedControlConfigureFlags,
    SchedControlConfigureFlags,
    SchedContextBind,
    SchedContextUnbindObject,
    X86PageTableMap,
    X86PageMap,
    X86PageMap,
    X86PageMapEPT,
    X86ASIDPoolAssign,
    TCBBindNotification,
    X86VCPUSetTCB,
    TCBSetPriority,
    X86EPTPDPTMap,
    X86EPTPDMap,
    X86EPTPTMap,
    X86IRQIssueIRQHandlerIOAPIC,
    X86IRQIssueIRQHandlerMSI,
    IRQSetIRQHandler,
    SchedContextYieldTo,
    TCBSetTimeoutEndpoint,
};

static u64 choose_address(void)
{
    static const u8 shifts[] = { 12, 12, 12, 12, 21, 30, 39 };

    if (chance(8))
        return playground.image_address + choose(16) * PAGE_SIZE;
    return BIT(28) + ((u64)choose(4) << shifts[choose(ARRAY_LENGTH(shifts))]);
}

static u64 choose_object_type(void)
{
    static const u8 common[] = {
        seL4_UntypedObject,  seL4_TCBObject,          seL4_EndpointObject, seL4_NotificationObject,
        seL4_CapTableObject, seL4_SchedContextObject, seL4_ReplyObject,    seL4_X86_4K,
    };

    return chance(2) ? common[choose(ARRAY_LENGTH(common))] : choose(seL4_ObjectTypeCount + 1);
}

static u64 size_for(u64 type)
{
    switch (type) {
    case seL4_UntypedObject:
        return 4 + choose(13);
    case seL4_CapTableObject:
        return 1 + choose(5);
    case seL4_SchedContextObject:
        return 7 + choose(4);
    default:
        return choose(4);
    }
}

static u64 choose_argument(char kind, const struct message *message)
{
    switch (kind) {
    case 's':
        return choose_empty_slot();
    case 'S':
        return choose_any_slot();
    case 'e':
        return choose_slot_of(CAP_ENDPOINT);
    case 'd':
        return 64;
    case '0':
        return 0;
    case 't':
        return choose_object_type();
    case 'z':
        return size_for(message->word[0]);
    case 'r':
        return chance(2) ? 15 : choose(16);
    case 'b':
        return choose(8);
    case 'c':
        return 1 + choose(3);
    case 'v':
        return choose_address();
    case 'a':
        return choose(16);
    case 'p':
        return chance(4) ? 255 : choose(256);
    case 'n':
        return choose(8);
    case 'q':
        return choose(8);
    case 'o':
        return 0x100 + choose(32);
    case 'u':
        return 20 + choose(1000);
    case 'U':
        return chance(2) ? message->word[0] : message->word[0] + choose(4000);
    case 'B':
        return chance(8) ? 0 : playground.image_address + choose(16) * 1024;
    default:
        return choose_word();
    }
}

static u64 choose_capability(char kind)
{
    static const enum cap_type spaces[] = { CAP_PML4, CAP_EPT_PML4 };

    switch (kind) {
    case 'C':
        return seL4_CapInitThreadCNode;
    case 'V':
        return choose_vspace();
    case 'P':
        return choose_slot_of(CAP_EPT_PML4);
    case 'T':
        return choose_slot_of(CAP_TCB);
    case 'K':
        return chance(8) ? 0 : choose_slot_of(CAP_SCHED_CONTEXT);
    case 'E':
        return chance(4) ? 0 : choose_slot_of(CAP_ENDPOINT);
    case 'N':
        return choose_slot_of(CAP_NOTIFICATION);
    case 'F':
        return choose_slot_of(CAP_FRAME);
    case 'U':
        return choose_untyped();
    case 'I':
        return choose_slot_of(CAP_IO_PORT);
    case 'X':
        return choose_slot_of(chance(3) ? CAP_NOTIFICATION : CAP_TCB);
    case 'Y':
        return choose_slot_of(spaces[choose(2)]);
    default:
        return choose_any_slot();
    }
}

/* A small CNode instead of the big one, as target or root. */
static void go_inside(struct message *message)
{
    u64 inner = choose_slot_of(CAP_CNODE);
    struct cap cap = playground.slots[inner].cap;

    if (cap.type != CAP_CNODE || cap_aux_get(cap, 0, 6) > 8)
        return;
    if (chance(2)) {
        message->cptr = inner;
        message->word[0] = choose(1u << cap_aux_get(cap, 0, 6));
        message->word[1] = cap_aux_get(cap, 0, 6) + cap_aux_get(cap, 6, 6);
    } else if (message->nr_extra) {
        message->extra[0] = inner;
        message->word[2] = choose(1u << cap_aux_get(cap, 0, 6));
        message->word[3] = cap_aux_get(cap, 0, 6) + cap_aux_get(cap, 6, 6);
    }
}

static void spoil(struct message *message)
{
    switch (choose(6)) {
    case 0:
        message->length = choose(message->length + 1);
        break;
    case 1:
        message->nr_extra = choose(message->nr_extra + 1);
        break;
    case 2:
        message->extra[choose(3)] = choose_any_slot();
        break;
    case 3:
        message->cptr = chance(2) ? choose_any_slot() : choose_word();
        break;
    default:
        message->word[choose(message->length + 1) % MESSAGE_MAX_WORDS] = choose_word();
    }
}

static bool is_transfer(u64 label)
{
    return label >= CNodeRevoke && label <= CNodeRotate;
}

void message_invocation(struct message *message)
{
    u64 label =
        chance(3) ? 1 + choose(ARRAY_LENGTH(shapes) - 1) : frequent[choose(ARRAY_LENGTH(frequent))];
    const struct shape *shape = &shapes[label];

    memset(message, 0, sizeof *message);
    message->label = label;
    message->cptr = choose_slot_of(invoked_types[label]);
    if (label == UntypedRetype)
        message->cptr = choose_untyped();
    if (is_transfer(label))
        message->cptr = seL4_CapInitThreadCNode;
    for (const char *kind = shape->words; *kind; kind++)
        message->word[message->length++] = choose_argument(*kind, message);
    for (const char *kind = shape->caps; *kind; kind++)
        message->extra[message->nr_extra++] = choose_capability(*kind);
    if (is_transfer(label) && chance(4))
        go_inside(message);
    if (chance(12))
        spoil(message);
}

void message_ipc(struct message *message)
{
    static const enum cap_type types[] = { CAP_ENDPOINT, CAP_ENDPOINT, CAP_NOTIFICATION,
                                           CAP_REPLY };

    memset(message, 0, sizeof *message);
    message->cptr = choose_slot_of(types[choose(ARRAY_LENGTH(types))]);
    message->label = choose(4);
    message->length = choose(8);
    if (chance(16))
        message->length = choose(128);
    message->nr_extra = chance(2) ? choose(4) : 0;
    for (unsigned i = 0; i < 3; i++)
        message->extra[i] = chance(3) ? choose_slot_of(CAP_ENDPOINT) : choose_any_slot();
    for (unsigned i = 0; i < 8; i++)
        message->word[i] = choose(256);
}
