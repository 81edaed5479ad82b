/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One virtual CPU: its thread's view of the last exit, its local APIC, the events waiting to be
 * injected. Everything here belongs to one thread; others use the inbox and what lapic.h allows.
 *
 * The exit message (struct vcpu_message) is the IPC buffer itself: an exit's handler changes it in
 * place, and the whole of it goes back to the kernel with the next VMEnter. Words 0-3 travel in
 * registers and are put there by vcpu_enter().
 *
 * Invariants (whenever no exit handler runs)
 *   I1  message->deadline is the first of the APIC timer's deadline on the host's TSC, serve_at and
 *       watch.look_at, or one of them that is not meant any more and comes before; or off
 *   I2  attention is set if anything waits to be injected or is posted, a window is requested, or
 *       the CPU sleeps
 *   I3  cr4 is the guest's CR4: the guest cannot write it without an exit
 * Units  host TSC = guest TSC - tsc_offset
 */
#ifndef USER_VMM_VCPU_H
#define USER_VMM_VCPU_H

#include "abi/vcpu.h"
#include "abi/vmcs.h"
#include "user/vmm/cpuid.h"
#include "user/vmm/guest_walk.h"
#include "user/vmm/inbox.h"
#include "user/vmm/insn.h"
#include "user/vmm/lapic.h"
#include "user/vmm/x86.h"

struct vm;
struct msr_row;

/*
 * The rare half of a function on the way of every exit: kept apart, so that the common half needs
 * no stack frame for it.
 */
#define RARE __attribute__((noinline, cold))
/* For the same reason, what is not rare, but costs more by itself than a call does. */
#define APART __attribute__((noinline))

/* The words of an exit message, by name. The order of gpr[] is the message's: see vcpu_gpr(). */
struct vcpu_message {
    uint64_t rip, primary, entry_info, reason, qualification, length, gpa, rflags;
    uint64_t interruptibility, cr3;
    uint64_t gpr[15];
    uint64_t activity, deadline;
    /* Only after exits that have a qualification; the first four not after all (abi/vcpu.h). */
    uint64_t cr0, cr4, efer, cs_rights, vectoring_info, vectoring_error, exit_info, exit_error;
    uint64_t posted[VMENTER_POSTED_WORDS]; /* only in an entry of VMENTER_POSTING_LENGTH */
};

#define MESSAGE_WORD(field, word)                                                                  \
    _Static_assert(offsetof(struct vcpu_message, field) == 8 * (word), "abi/vcpu.h")
MESSAGE_WORD(rip, VMENTER_MR_RIP);
MESSAGE_WORD(primary, VMENTER_MR_PRIMARY_CONTROLS);
MESSAGE_WORD(entry_info, VMENTER_MR_ENTRY_INFO);
MESSAGE_WORD(reason, VMENTER_MR_REASON);
MESSAGE_WORD(qualification, VMENTER_MR_QUALIFICATION);
MESSAGE_WORD(length, VMENTER_MR_INSTRUCTION_LENGTH);
MESSAGE_WORD(gpa, VMENTER_MR_GUEST_PHYSICAL);
MESSAGE_WORD(rflags, VMENTER_MR_RFLAGS);
MESSAGE_WORD(interruptibility, VMENTER_MR_INTERRUPTIBILITY);
MESSAGE_WORD(cr3, VMENTER_MR_CR3);
MESSAGE_WORD(gpr, VMENTER_MR_RAX);
MESSAGE_WORD(gpr[14], VMENTER_MR_R15);
MESSAGE_WORD(activity, VMENTER_MR_ACTIVITY);
MESSAGE_WORD(deadline, VMENTER_MR_DEADLINE);
MESSAGE_WORD(cr0, VMENTER_MR_CR0);
MESSAGE_WORD(cr4, VMENTER_MR_CR4);
MESSAGE_WORD(efer, VMENTER_MR_EFER);
MESSAGE_WORD(cs_rights, VMENTER_MR_CS_ACCESS_RIGHTS);
MESSAGE_WORD(vectoring_info, VMENTER_MR_VECTORING_INFO);
MESSAGE_WORD(vectoring_error, VMENTER_MR_VECTORING_ERROR);
MESSAGE_WORD(exit_info, VMENTER_MR_INTERRUPTION_INFO);
MESSAGE_WORD(exit_error, VMENTER_MR_INTERRUPTION_ERROR);
MESSAGE_WORD(posted, VMENTER_MR_POSTED);

/*
 * The code at rip is 64-bit code for certain; if not, the modes tell. Nothing but rip and cr3 need
 * be known then to find and decode an instruction that the processor has fetched itself; after an
 * access to a device they are all that the message has (abi/vcpu.h).
 */
static inline bool message_is_64_bit(const struct vcpu_message *message)
{
    return message->rip >= VMENTER_64_BIT_CODE;
}

/* Places in gpr[] of the registers that instructions name implicitly. */
enum message_register {
    MESSAGE_RAX,
    MESSAGE_RBX,
    MESSAGE_RCX,
    MESSAGE_RDX,
    MESSAGE_RSI,
    MESSAGE_RDI,
    MESSAGE_RBP,
    MESSAGE_R8,
};

/*
 * The watchdog. A guest is stuck that does not take an interrupt which only its interrupt flag, or
 * an interrupt shadow, keeps out, while it does not sleep in HLT. As long as there is such a one,
 * the VCPU timer looks WATCH_LOOKS times in the time that the configuration gives; a look that
 * finds none begins anew, and so does an injection. Looks are counted, not time: while its threads
 * are stopped, nothing counts. What the APIC's priorities keep out does not: there is no window
 * that would say when it is let in.
 */
#define WATCH_LOOKS 8u

struct watch {
    uint64_t look_at; /* host TSC, or VCPU_DEADLINE_OFF: no interrupt is kept out */
    unsigned looks;   /* so many found one */
};

/* Events that must reach the guest at the next entry, whatever its interrupt flag says. */
struct vcpu_events {
    uint32_t reinject; /* the event whose delivery the last exit interrupted; 0 = none */
    uint32_t reinject_error;
    uint32_t reinject_length;
    uint32_t injected_error; /* what went with the last injected event */
    uint32_t injected_length;
    uint32_t exception; /* raised by an emulated instruction; 0 = none */
    uint32_t exception_error;
    bool nmi;
};

/* Instructions lie at any address. */
struct code_word {
    uint64_t value;
} __attribute__((packed, may_alias));

/*
 * A decoded instruction, and what has to be as it was for it to be used again: registers, the page
 * table entries that lead to it, its bytes. code is null if there is none.
 */
struct decode_cache {
    uint64_t rip;
    uint64_t cr0, cr3, cr4, efer, cs_rights;
    struct walk_trace trace;
    const struct code_word *code; /* its bytes in guest RAM: two words, in one page */
    uint64_t words[2];
    struct insn insn;
};

#define VCPU_NR_DECODES      8u
#define VCPU_NR_MSR_ROWS     8u
#define VCPU_NR_REASONS      65u
#define MSR_NR_MTRR_VARIABLE 16u /* base and mask of eight */
#define MSR_NR_MTRR_FIXED    11u

/* MSRs that only exist here. */
struct vcpu_msrs {
    uint64_t mtrr_variable[MSR_NR_MTRR_VARIABLE];
    uint64_t mtrr_fixed[MSR_NR_MTRR_FIXED];
    uint64_t mtrr_default;
    uint64_t pat;
    uint64_t tsc_adjust;
    uint64_t mcg_status;
    uint64_t nb_cfg;
    uint64_t system_time, wall_clock;
    uint32_t time_version;                  /* of the paravirtual clock's record */
    uint64_t unknown_reads, unknown_writes; /* answered with #GP */
    uint32_t last_unknown;
};

/* See paravirt.c. */
struct paravirt {
    uint64_t eoi_control; /* the MSR: address of the guest's word, bit 0 = on */
    bool eoi_offered;     /* the guest may end the interrupt in service by its word */
};

/*
 * Paging is off, as the guest believes, on a processor that always pages guests (vm.h,
 * has_real_mode): an identity mapping stands in, and what the guest has in these is kept here.
 */
struct unpaged {
    bool on;
    bool long_mode_enabled; /* EFER.LME */
    uint64_t cr3;
};

enum vcpu_stop {
    VCPU_RUNS,
    VCPU_STOPS, /* vm->stop says why */
};

struct vcpu {
    struct vcpu_message *message;
    struct vm *vm;
    unsigned index;
    bool attention;
    bool sleeping;     /* HLT, and nothing has woken it yet */
    bool waits;        /* after INIT, for a start-up message: the guest does not run */
    bool stays_off;    /* it was told to start where it cannot, and that has been said */
    bool unhalted;     /* a paravirtual wake-up came before the HLT that it was meant for */
    bool cr4_shadowed; /* CR4 is read from VMCS_CR4_SHADOW, not from an exit */
    uint64_t cr4;
    struct unpaged unpaged;
    uint64_t wake_address; /* atomic: written by who posts REQUEST_WAKE */
    uint64_t tsc_offset;
    uint64_t entry_length; /* of the message, VMENTER_..._LENGTH */
    uint64_t eoi_exits[4]; /* vectors whose end is an exit, while the processor has the APIC */
    uint64_t serve_at; /* host TSC at which functions on the bus are served, or VCPU_DEADLINE_OFF */
    struct watch watch;
    struct vcpu_events events;
    struct paravirt paravirt;
    struct inbox inbox;
    struct lapic lapic;
    struct cpuid_table cpuid;
    struct vcpu_msrs msrs;
    struct decode_cache decodes[VCPU_NR_DECODES];
    const struct msr_row *msr_rows[VCPU_NR_MSR_ROWS]; /* of the policy, lately used */
    uint64_t exits[VCPU_NR_REASONS + 1];              /* by reason; the last: any other */
    uint64_t notifications;
    uint64_t late_badge; /* of notifications before the VM's first instruction */
    uint64_t vcpu_slot;  /* capability of the VCPU object */
};

/* --- the kernel's side (main.c; faked in host tests) --- */

enum vcpu_return {
    VCPU_NOTIFIED = SEL4_VMENTER_RESULT_NOTIF,
    VCPU_EXITED = SEL4_VMENTER_RESULT_FAULT,
};

/* Runs the guest until the next exit or notification, whose badge it gives; message holds the
 * answer. */
enum vcpu_return vcpu_enter(struct vcpu *vcpu, uint64_t *badge);
/* Gives up the rest of its thread's turn; the calling thread's own vCPU. */
void vcpu_yield(struct vcpu *vcpu);
/* Makes its thread look into its inbox. */
void vcpu_kick(struct vcpu *vcpu);
uint64_t vcpu_read_field(struct vcpu *vcpu, uint64_t field); /* 0 if the kernel refuses */
bool vcpu_write_field(struct vcpu *vcpu, uint64_t field, uint64_t value);
uint64_t vcpu_read_msr(struct vcpu *vcpu, uint64_t msr);
bool vcpu_write_msr(struct vcpu *vcpu, uint64_t msr, uint64_t value);
uint64_t host_tsc(void);

/* --- registers --- */

/* rsp is not in the message. */
#define VCPU_RSP 4u

/* The place in the message of the register with this number in an instruction's encoding. */
static inline uint64_t *vcpu_gpr(struct vcpu *vcpu, unsigned number)
{
    static const uint8_t place[16] = { 0, 2, 3, 1, 0xff, 6, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14 };

    return &vcpu->message->gpr[place[number]];
}

static inline uint64_t vcpu_get_register(struct vcpu *vcpu, unsigned number)
{
    return number == VCPU_RSP ? vcpu_read_field(vcpu, VMCS_GUEST_RSP) : *vcpu_gpr(vcpu, number);
}

static inline void vcpu_set_register(struct vcpu *vcpu, unsigned number, uint64_t value)
{
    if (number == VCPU_RSP) {
        vcpu_write_field(vcpu, VMCS_GUEST_RSP, value);
    } else {
        *vcpu_gpr(vcpu, number) = value;
    }
}

static inline uint64_t vcpu_guest_tsc(const struct vcpu *vcpu)
{
    return host_tsc() + vcpu->tsc_offset;
}

/* --- control.c --- */

/* Entry controls of a guest that is not in long mode. */
#define VCPU_ENTRY_LEGACY (VMX_ENTRY_CTL_LOAD_PAT | VMX_ENTRY_CTL_LOAD_EFER)

/* Once at power-on: writes of CR4 are to exit where the processor does not do so anyway; of CR0
 * those that switch what the processor cannot. */
bool vcpu_own_control(struct vcpu *vcpu);
/* Whether the processor runs guests in real mode and without paging. */
bool vcpu_has_real_mode(struct vcpu *vcpu);
bool vcpu_set_cr0(struct vcpu *vcpu, uint64_t value);
uint64_t vcpu_get_efer(struct vcpu *vcpu);
bool vcpu_set_efer(struct vcpu *vcpu, uint64_t value);
/* As the guest sees it. */
bool vcpu_is_paged(struct vcpu *vcpu);
/* The register and what depends on it; false if the kernel refuses. */
bool vcpu_set_cr4(struct vcpu *vcpu, uint64_t value);
/* The exit for an access to a control register. */
enum vcpu_stop vcpu_access_control(struct vcpu *vcpu);

/* --- events.c --- */

/* Chooses what the next entry injects and which windows it asks for. */
void vcpu_prepare_events(struct vcpu *vcpu);
/* An exception at the present instruction, which has not been advanced over. */
void vcpu_raise(struct vcpu *vcpu, enum x86_vector vector);
void vcpu_raise_code(struct vcpu *vcpu, enum x86_vector vector, uint32_t error_code);
void vcpu_raise_page_fault(struct vcpu *vcpu, uint64_t address, uint32_t error_code);
/* The exit interrupted the delivery of an event: it has to be delivered again. */
void vcpu_note_vectoring(struct vcpu *vcpu);
/* The guest did not run, so that the event in the message was not injected: it is chosen again. */
void vcpu_note_not_entered(struct vcpu *vcpu);
/* At the VCPU timer, before the next injection is chosen. */
enum vcpu_stop vcpu_watch(struct vcpu *vcpu);
/* I1 after the APIC timer, the TSC offset, serve_at or the watchdog has changed. */
void vcpu_sync_deadline(struct vcpu *vcpu);
/* What single-stepping and the interrupt shadow ask for after an instruction. */
enum vcpu_stop vcpu_finish_step(struct vcpu *vcpu);

/* The present instruction is done: the guest goes on after it. */
static inline enum vcpu_stop vcpu_done(struct vcpu *vcpu)
{
    struct vcpu_message *message = vcpu->message;

    message->rip += message->length;
    if (((message->rflags & RFLAGS_TF) | (message->interruptibility & BLOCKED_SHADOW)) != 0) {
        return vcpu_finish_step(vcpu);
    }
    return VCPU_RUNS;
}

/* --- vcpu_reset.c --- */

/* The part of the power-on state that is ours; the kernel's part is written by vcpu_power_on(). */
void vcpu_reset(struct vcpu *vcpu);
/* By its own thread. False if the kernel refuses a part of it. */
struct linux_entry;
bool vcpu_power_on(struct vcpu *vcpu, const struct linux_entry *entry);
/* INIT: as after power-on as far as processors do that, and waiting for a start-up message. */
void vcpu_init(struct vcpu *vcpu);
/* The start-up message has come: real mode at vector * 4096. */
void vcpu_start_up(struct vcpu *vcpu, uint8_t vector);
/* The mailbox has been used: 64-bit mode at wake_address. */
void vcpu_wake(struct vcpu *vcpu);

/* --- paravirt.c --- */

void paravirt_reset(struct vcpu *vcpu);
/* The MSR that names the word for ends of interrupts; false: #GP. */
bool paravirt_write_eoi(struct vcpu *vcpu, uint64_t value);
/* The interrupt just accepted may be ended in memory. */
void paravirt_offer(struct vcpu *vcpu);
/* After an exit, if offered: has the guest done so? */
void paravirt_collect(struct vcpu *vcpu);
/* From now on the guest's end of interrupt is an exit. */
void paravirt_take_back(struct vcpu *vcpu);
/* What the guest finds in rax after VMCALL. */
uint64_t paravirt_hypercall(struct vcpu *vcpu);

/* --- virtual_apic.c: the local APIC in the processor, where that can have it --- */

/* At power-on and after INIT, when the registers are as these leave them: the processor's, too. */
void vcpu_reset_apic(struct vcpu *vcpu);
/* After the APIC's mode has changed: registers go where they belong. */
void vcpu_place_apic(struct vcpu *vcpu);
/* In vcpu_prepare_events(): the next entry posts what is requested. */
void vcpu_post_requests(struct vcpu *vcpu);
/* The entry that was to post did not take place. */
void vcpu_note_not_posted(struct vcpu *vcpu);
/* After an entry in HLT: whether it goes on, which the kernel knows if the processor has the APIC.
 */
void vcpu_note_sleep(struct vcpu *vcpu);
enum vcpu_stop vcpu_exit_eoi(struct vcpu *vcpu);
enum vcpu_stop vcpu_exit_apic_write(struct vcpu *vcpu);

/* --- interrupts.c --- */

/* What others have asked for. */
enum vcpu_stop vcpu_take_requests(struct vcpu *vcpu);

/* --- exits.c --- */

/* Handles the exit that the message tells of. */
enum vcpu_stop vcpu_handle_exit(struct vcpu *vcpu);

/* --- msr.c --- */

void msrs_reset(struct vcpu *vcpu);
/* False: #GP. */
bool msr_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
bool msr_write(struct vcpu *vcpu, uint32_t msr, uint64_t value);

#endif
