/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Model of a local APIC, one for each vCPU: registers in xAPIC (memory) and x2APIC (MSR) form,
 * priorities, the timer. A pure function of its state, the access and the guest's TSC; whatever it
 * wants done outside (an IPI, an EOI that the I/O APIC must hear) it returns.
 *
 *      interrupt: lapic_set_irr() or, by another thread, lapic_post() -> lapic_pending() says which
 *                 vector may be injected now -> lapic_accept() moves it from IRR to ISR
 *                 -> guest's EOI clears ISR
 *      timer:     lapic_timer_deadline() is the guest TSC at which lapic_timer_expire() is due
 *
 * Invariants  I1  no vector below 16 is ever in IRR or ISR
 *             I2  irr_any is false only if IRR is empty, or what is in there has just been posted
 *                 and the request that says so (inbox.h) has not been taken yet
 *             I3  deadline is LAPIC_NEVER unless the timer is counting
 *             I4  while in_processor is set, TPR, ISR and what IRR has are the processor's
 *                 (virtual_apic.c): tpr and isr here are not used, and irr has what is to be added
 *                 to the processor's
 * The timer counts at the frequency of the TSC (divided by the divide register); CPUID leaf
 * 0x40000010 says so.
 *
 * Threads     the vCPU's own; other threads only call lapic_post() and lapic_matches(). What these
 *             touch is read and written by atomic operations: the words of IRR and TMR by
 *             read-modify-write; id, base, svr, ldr and dfr are written by the owner alone. A
 *             message that comes while the owner changes such a register meets the old or the new
 *             value, as on a bus.
 * Units       guest TSC ticks; register numbers are x2APIC's (MSR - 0x800 = xAPIC offset / 16)
 * Errors      LAPIC_FAULT: #GP in x2APIC mode; the memory form ignores what is wrong
 * Sources     Intel SDM vol. 3A ch. 10 "APIC", 10.12 "x2APIC"; AMD APM vol. 2 ch. 16
 */
#ifndef USER_VMM_LAPIC_H
#define USER_VMM_LAPIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAPIC_NEVER (~0ull)
/* A periodic timer is not served more often (TSC ticks): between two exits the guest must get on.
 */
#define LAPIC_MIN_PERIOD (1ull << 17)
#define LAPIC_NONE       (-1)
#define LAPIC_BASE       0xfee00000ull
#define LAPIC_BYTES      0x1000ull
#define LAPIC_VERSION    0x00050014u /* integrated APIC, six local vectors */

#define APIC_BASE_BSP    (1ull << 8)
#define APIC_BASE_X2APIC (1ull << 10)
#define APIC_BASE_ENABLE (1ull << 11)

enum lapic_register {
    LAPIC_REG_ID = 0x02,
    LAPIC_REG_VERSION = 0x03,
    LAPIC_REG_TPR = 0x08,
    LAPIC_REG_APR = 0x09,
    LAPIC_REG_PPR = 0x0a,
    LAPIC_REG_EOI = 0x0b,
    LAPIC_REG_RRD = 0x0c,
    LAPIC_REG_LDR = 0x0d,
    LAPIC_REG_DFR = 0x0e,
    LAPIC_REG_SVR = 0x0f,
    LAPIC_REG_ISR = 0x10,
    LAPIC_REG_TMR = 0x18,
    LAPIC_REG_IRR = 0x20,
    LAPIC_REG_ESR = 0x28,
    LAPIC_REG_CMCI = 0x2f,
    LAPIC_REG_ICR = 0x30,
    LAPIC_REG_ICR_HIGH = 0x31,
    LAPIC_REG_LVT_TIMER = 0x32,
    LAPIC_REG_LVT_THERMAL = 0x33,
    LAPIC_REG_LVT_COUNTER = 0x34,
    LAPIC_REG_LVT_LINT0 = 0x35,
    LAPIC_REG_LVT_LINT1 = 0x36,
    LAPIC_REG_LVT_ERROR = 0x37,
    LAPIC_REG_TIMER_INITIAL = 0x38,
    LAPIC_REG_TIMER_CURRENT = 0x39,
    LAPIC_REG_TIMER_DIVIDE = 0x3e,
    LAPIC_REG_SELF_IPI = 0x3f,
};

#define LAPIC_NR_LVT 6u

struct lapic_set {
    uint64_t words[4];
};

static inline uint64_t lapic_set_word(const struct lapic_set *set, unsigned index)
{
    return __atomic_load_n(&set->words[index], __ATOMIC_RELAXED);
}

static inline bool lapic_set_has(const struct lapic_set *set, unsigned vector)
{
    return (lapic_set_word(set, vector / 64) >> (vector % 64) & 1) != 0;
}

/* Of a set that no other thread changes. */
static inline void lapic_set_remove(struct lapic_set *set, unsigned vector)
{
    set->words[vector / 64] &= ~(1ull << (vector % 64));
}

/* Or LAPIC_NONE. */
static inline int lapic_set_highest(const struct lapic_set *set)
{
#pragma GCC unroll 4
    for (int i = 3; i >= 0; i--) {
        uint64_t word = lapic_set_word(set, (unsigned)i);

        if (word != 0) {
            return i * 64 + 63 - __builtin_clzll(word);
        }
    }
    return LAPIC_NONE;
}

/* Each part begins a cache line: see Threads. */
struct lapic {
    /* What senders write, */
    _Alignas(64) struct lapic_set irr;
    struct lapic_set tmr;
    /* what they read, and the owner seldom writes, */
    _Alignas(64) uint64_t base; /* the APIC_BASE MSR */
    uint32_t id, svr, ldr, dfr;
    /* and what is the owner's alone. */
    _Alignas(64) struct lapic_set isr;
    uint32_t tpr;
    bool irr_any;
    bool in_processor;
    uint32_t esr, esr_next, divide;
    uint64_t icr;
    uint32_t lvt[LAPIC_NR_LVT]; /* from LAPIC_REG_LVT_TIMER on */
    uint32_t timer_initial;
    uint64_t timer_start;  /* when the present count began */
    uint64_t tsc_deadline; /* the MSR */
    uint64_t deadline;
};

_Static_assert(offsetof(struct lapic, base) == 64, "IRR and TMR fill a cache line");
_Static_assert(offsetof(struct lapic, isr) == 128, "senders' registers have a cache line");

enum lapic_effect {
    LAPIC_OK,
    LAPIC_FAULT,
    LAPIC_EOI,   /* of a level-triggered interrupt: argument = vector, for the I/O APIC */
    LAPIC_IPI,   /* argument = ICR in x2APIC form */
    LAPIC_TIMER, /* the deadline has changed */
};

struct lapic_outcome {
    enum lapic_effect effect;
    uint64_t argument;
};

void lapic_reset(struct lapic *lapic, uint32_t id);
/* INIT: registers as after power-on; ID, base and mode stay. */
void lapic_init(struct lapic *lapic);

/* One register, by its number; the two forms differ in a few registers and in what is a fault. */
bool lapic_read(const struct lapic *lapic, unsigned number, bool x2apic, uint64_t now,
                uint64_t *value);
struct lapic_outcome lapic_write(struct lapic *lapic, unsigned number, bool x2apic, uint64_t now,
                                 uint64_t value);

static inline bool lapic_is_x2apic(const struct lapic *lapic)
{
    return (lapic->base & APIC_BASE_X2APIC) != 0;
}

/* Writes the APIC_BASE MSR; false = #GP. phys_bits: width of guest physical addresses. */
bool lapic_write_base(struct lapic *lapic, uint64_t value, unsigned phys_bits);

/* The TSC-deadline MSR. */
uint64_t lapic_read_tsc_deadline(const struct lapic *lapic);
void lapic_write_tsc_deadline(struct lapic *lapic, uint64_t value);

/* An interrupt message has arrived. Vectors below 16 only set the error register. */
void lapic_set_irr(struct lapic *lapic, uint8_t vector, bool level);
/* The same by another thread; the owner must then be told. Vectors of 16 and above. */
void lapic_post(struct lapic *lapic, uint8_t vector, bool level);
/* The owner has been told: something may be in IRR; a message with a vector below 16 came. */
void lapic_note_posted(struct lapic *lapic);
void lapic_note_illegal(struct lapic *lapic);
/* The vector that may interrupt the processor now (before RFLAGS.IF is looked at), or LAPIC_NONE.
 */
int lapic_pending(const struct lapic *lapic);
/* The processor takes the vector that lapic_pending() named. */
void lapic_accept(struct lapic *lapic, uint8_t vector);
/* What was accepted did not reach the processor: it waits again. */
void lapic_put_back(struct lapic *lapic, uint8_t vector);
/* Takes all that is requested out of IRR, for the processor's; and gives back what it did not get.
 */
void lapic_take_requests(struct lapic *lapic, uint64_t set[4]);
void lapic_give_back(struct lapic *lapic, const uint64_t set[4]);
/* Nothing is in service. */
bool lapic_is_idle(const struct lapic *lapic);
/* Whether the end of this vector in service is nothing to the I/O APIC. */
static inline bool lapic_is_edge(const struct lapic *lapic, unsigned vector)
{
    return !lapic_set_has(&lapic->tmr, vector);
}

/* Whether a message to this destination is meant for this APIC. */
bool lapic_matches(const struct lapic *lapic, uint32_t destination, bool logical);
/* End of interrupt: the level-triggered vector that the I/O APIC must hear of, or LAPIC_NONE. */
static inline int lapic_end_of_interrupt(struct lapic *lapic)
{
    int vector = lapic_set_highest(&lapic->isr);

    if (vector < 0) {
        return LAPIC_NONE;
    }
    lapic_set_remove(&lapic->isr, (unsigned)vector);
    return lapic_is_edge(lapic, (unsigned)vector) ? LAPIC_NONE : vector;
}

static inline uint64_t lapic_timer_deadline(const struct lapic *lapic)
{
    return lapic->deadline;
}

/* To be called at or after the deadline (too early does nothing). */
void lapic_timer_expire(struct lapic *lapic, uint64_t now);

/* The task priority as control register 8 shows it. */
static inline uint64_t lapic_read_cr8(const struct lapic *lapic)
{
    return lapic->tpr >> 4;
}

static inline void lapic_write_cr8(struct lapic *lapic, uint64_t value)
{
    lapic->tpr = (uint32_t)(value & 0xf) << 4;
}

#endif
