/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/vmm/lapic.h"

#define SVR_ENABLE   (1u << 8)
#define SVR_WRITABLE 0x3ffu /* vector, enable, focus checking */

#define LVT_MASKED     (1u << 16)
#define LVT_TIMER_MODE (3u << 17)
#define TIMER_ONE_SHOT (0u << 17)
#define TIMER_PERIODIC (1u << 17)
#define TIMER_DEADLINE (2u << 17)

#define ESR_SEND_ILLEGAL    (1u << 5)
#define ESR_RECEIVE_ILLEGAL (1u << 6)

#define ICR_PENDING (1u << 12)
#define LVT_STATUS  (1u << 12 | 1u << 14) /* delivery status, remote IRR: written in vain */

/* Which bits of each local vector entry can be written: see SDM 10.5.1, figure 10-8. */
static const uint32_t lvt_writable[LAPIC_NR_LVT] = {
    0x700ff, /* timer: vector, mask, mode */
    0x107ff, /* thermal sensor: vector, delivery, mask */
    0x107ff, /* performance counters */
    0x1a7ff, /* LINT0: also polarity, trigger mode */
    0x1a7ff, /* LINT1 */
    0x100ff, /* error */
};

/* --- sets of 256 vectors --- */

static void set_add(struct lapic_set *set, uint8_t vector)
{
    set->words[vector / 64] |= 1ull << (vector % 64);
}

/* In sets that other threads may change at the same time; the inbox's request orders them. What a
 * sender wrote into TMR is seen by who takes its bit out of IRR. */
static void shared_add(struct lapic_set *set, uint8_t vector)
{
    __atomic_fetch_or(&set->words[vector / 64], 1ull << (vector % 64), __ATOMIC_RELEASE);
}

static void shared_remove(struct lapic_set *set, uint8_t vector)
{
    __atomic_fetch_and(&set->words[vector / 64], ~(1ull << (vector % 64)), __ATOMIC_RELAXED);
}

static void shared_clear(struct lapic_set *set)
{
    for (unsigned i = 0; i < 4; i++) {
        __atomic_store_n(&set->words[i], 0, __ATOMIC_RELAXED);
    }
}

static uint32_t set_word32(const struct lapic_set *set, unsigned index)
{
    return (uint32_t)(lapic_set_word(set, index / 2) >> (index % 2 * 32));
}

/* Registers that other threads look at. */
#define SHARED_LOAD(field)         __atomic_load_n(&(field), __ATOMIC_RELAXED)
#define SHARED_STORE(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELAXED)

/* --- priorities --- */

/* SDM 10.8.3.1: the class of the highest interrupt in service, or the task priority if higher. */
static uint32_t processor_priority(const struct lapic *lapic)
{
    int in_service = lapic_set_highest(&lapic->isr);
    uint32_t class = in_service < 0 ? 0 : (uint32_t)in_service & 0xf0;

    return (lapic->tpr & 0xf0) >= class ? lapic->tpr : class;
}

static bool software_enabled(const struct lapic *lapic)
{
    return (SHARED_LOAD(lapic->svr) & SVR_ENABLE) != 0 &&
           (SHARED_LOAD(lapic->base) & APIC_BASE_ENABLE) != 0;
}

int lapic_pending(const struct lapic *lapic)
{
    int vector;

    if (!lapic->irr_any || lapic->in_processor || !software_enabled(lapic)) {
        return LAPIC_NONE;
    }
    vector = lapic_set_highest(&lapic->irr);
    if (vector < 0 || ((uint32_t)vector & 0xf0) <= (processor_priority(lapic) & 0xf0)) {
        return LAPIC_NONE;
    }
    return vector;
}

void lapic_accept(struct lapic *lapic, uint8_t vector)
{
    shared_remove(&lapic->irr, vector);
    set_add(&lapic->isr, vector);
    lapic->irr_any = lapic_set_highest(&lapic->irr) >= 0;
}

void lapic_put_back(struct lapic *lapic, uint8_t vector)
{
    lapic_set_remove(&lapic->isr, vector);
    shared_add(&lapic->irr, vector);
    lapic->irr_any = true;
}

void lapic_take_requests(struct lapic *lapic, uint64_t set[4])
{
    for (unsigned i = 0; i < 4; i++) {
        set[i] = __atomic_exchange_n(&lapic->irr.words[i], 0, __ATOMIC_ACQUIRE);
    }
    lapic->irr_any = false;
}

void lapic_give_back(struct lapic *lapic, const uint64_t set[4])
{
    for (unsigned i = 0; i < 4; i++) {
        __atomic_fetch_or(&lapic->irr.words[i], set[i], __ATOMIC_RELAXED);
    }
    lapic->irr_any = true;
}

bool lapic_is_idle(const struct lapic *lapic)
{
    return lapic_set_highest(&lapic->isr) < 0;
}

static void raise_error(struct lapic *lapic, uint32_t bits)
{
    uint32_t entry = lapic->lvt[LAPIC_REG_LVT_ERROR - LAPIC_REG_LVT_TIMER];
    bool first = (lapic->esr_next & bits) == 0;

    lapic->esr_next |= bits;
    if (first && (entry & LVT_MASKED) == 0 && (entry & 0xff) >= 16) {
        lapic_set_irr(lapic, (uint8_t)entry, false);
    }
}

void lapic_post(struct lapic *lapic, uint8_t vector, bool level)
{
    if (!software_enabled(lapic)) {
        return;
    }
    if (level != lapic_set_has(&lapic->tmr, vector)) {
        if (level) {
            shared_add(&lapic->tmr, vector);
        } else {
            shared_remove(&lapic->tmr, vector);
        }
    }
    shared_add(&lapic->irr, vector);
}

void lapic_set_irr(struct lapic *lapic, uint8_t vector, bool level)
{
    if (vector < 16) {
        raise_error(lapic, ESR_RECEIVE_ILLEGAL);
        return;
    }
    lapic_post(lapic, vector, level);
    lapic->irr_any = true;
}

void lapic_note_posted(struct lapic *lapic)
{
    lapic->irr_any = true;
}

void lapic_note_illegal(struct lapic *lapic)
{
    raise_error(lapic, ESR_RECEIVE_ILLEGAL);
}

/* --- who is meant: SDM 10.6.2 "Determining IPI destination" --- */

static bool matches_logical_x2apic(const struct lapic *lapic, uint32_t destination)
{
    uint32_t logical = lapic->id / 16 << 16 | 1u << (lapic->id % 16);

    return destination >> 16 == logical >> 16 && (destination & logical & 0xffff) != 0;
}

static bool matches_logical(const struct lapic *lapic, uint32_t destination)
{
    uint32_t own = SHARED_LOAD(lapic->ldr) >> 24;

    if (SHARED_LOAD(lapic->dfr) >> 28 == 0xf) {
        return (own & destination) != 0;
    }
    return own >> 4 == destination >> 4 && (own & destination & 0xf) != 0;
}

bool lapic_matches(const struct lapic *lapic, uint32_t destination, bool logical)
{
    uint64_t base = SHARED_LOAD(lapic->base);
    bool x2apic = (base & APIC_BASE_X2APIC) != 0;

    if ((base & APIC_BASE_ENABLE) == 0) {
        return false;
    }
    /* Eight-bit senders (I/O APIC, MSI) say "all" with ff; also in x2APIC mode. */
    if (destination == 0xffffffff || destination == 0xff) {
        return true;
    }
    if (!logical) {
        return destination == lapic->id;
    }
    return x2apic ? matches_logical_x2apic(lapic, destination)
                  : matches_logical(lapic, destination & 0xff);
}

/* --- timer --- */

static uint32_t timer_mode(const struct lapic *lapic)
{
    return lapic->lvt[0] & LVT_TIMER_MODE;
}

/* log2 of the divisor: bits 0, 1, 3 of the divide register, 111 meaning 1. */
static unsigned divide_shift(const struct lapic *lapic)
{
    unsigned code = (lapic->divide & 3) | (lapic->divide >> 1 & 4);

    return (code + 1) & 7;
}

static uint64_t timer_period(const struct lapic *lapic)
{
    uint64_t period = (uint64_t)lapic->timer_initial << divide_shift(lapic);
    bool periodic = timer_mode(lapic) == TIMER_PERIODIC;

    return periodic && period < LAPIC_MIN_PERIOD ? LAPIC_MIN_PERIOD : period;
}

static uint64_t after(uint64_t start, uint64_t ticks)
{
    uint64_t sum;

    return __builtin_add_overflow(start, ticks, &sum) ? LAPIC_NEVER : sum;
}

static void timer_start(struct lapic *lapic, uint64_t now)
{
    lapic->timer_start = now;
    lapic->deadline = LAPIC_NEVER;
    if (timer_mode(lapic) <= TIMER_PERIODIC && lapic->timer_initial != 0) {
        lapic->deadline = after(now, timer_period(lapic));
    }
}

static uint32_t timer_count(const struct lapic *lapic, uint64_t now)
{
    if (timer_mode(lapic) > TIMER_PERIODIC || lapic->deadline == LAPIC_NEVER ||
        now >= lapic->deadline) {
        return 0;
    }
    uint64_t count = (lapic->deadline - now) >> divide_shift(lapic);

    return count < lapic->timer_initial ? (uint32_t)count : lapic->timer_initial;
}

/* The divisor changes while counting: what is left is counted on at the new speed. */
static void timer_divide(struct lapic *lapic, uint64_t now, uint32_t value)
{
    uint32_t left = timer_count(lapic, now);
    bool counting = lapic->deadline != LAPIC_NEVER && timer_mode(lapic) <= TIMER_PERIODIC;

    lapic->divide = value & 0xb;
    if (counting) {
        lapic->deadline = after(now, (uint64_t)left << divide_shift(lapic));
    }
}

void lapic_timer_expire(struct lapic *lapic, uint64_t now)
{
    uint64_t period = timer_period(lapic);

    if (now < lapic->deadline || lapic->deadline == LAPIC_NEVER) {
        return;
    }
    if ((lapic->lvt[0] & LVT_MASKED) == 0) {
        lapic_set_irr(lapic, (uint8_t)lapic->lvt[0], false);
    }
    if (timer_mode(lapic) == TIMER_PERIODIC && lapic->timer_initial != 0) {
        /* Late by more than a period: the missed ones are lost, as with real interrupts. */
        uint64_t missed = (now - lapic->deadline) / period;

        lapic->deadline = after(lapic->deadline, (missed + 1) * period);
        return;
    }
    lapic->deadline = LAPIC_NEVER;
    lapic->tsc_deadline = 0;
}

uint64_t lapic_read_tsc_deadline(const struct lapic *lapic)
{
    return timer_mode(lapic) == TIMER_DEADLINE ? lapic->tsc_deadline : 0;
}

void lapic_write_tsc_deadline(struct lapic *lapic, uint64_t value)
{
    if (timer_mode(lapic) != TIMER_DEADLINE) {
        return;
    }
    lapic->tsc_deadline = value;
    lapic->deadline = value == 0 ? LAPIC_NEVER : value;
}

/* --- registers --- */

static void disable_vectors(struct lapic *lapic)
{
    for (unsigned i = 0; i < LAPIC_NR_LVT; i++) {
        lapic->lvt[i] |= LVT_MASKED;
    }
}

static void registers_reset(struct lapic *lapic)
{
    SHARED_STORE(lapic->svr, 0xff);
    SHARED_STORE(lapic->ldr, 0);
    SHARED_STORE(lapic->dfr, 0xffffffff);
    shared_clear(&lapic->irr);
    shared_clear(&lapic->tmr);
    lapic->isr = (struct lapic_set){ 0 };
    lapic->irr_any = false;
    lapic->tpr = 0;
    lapic->esr = lapic->esr_next = 0;
    lapic->divide = 0;
    lapic->icr = 0;
    lapic->timer_initial = 0;
    lapic->timer_start = lapic->tsc_deadline = 0;
    lapic->deadline = LAPIC_NEVER;
    for (unsigned i = 0; i < LAPIC_NR_LVT; i++) {
        lapic->lvt[i] = LVT_MASKED;
    }
}

void lapic_init(struct lapic *lapic)
{
    registers_reset(lapic);
}

void lapic_reset(struct lapic *lapic, uint32_t id)
{
    SHARED_STORE(lapic->id, id);
    SHARED_STORE(lapic->base, LAPIC_BASE | APIC_BASE_ENABLE | (id == 0 ? APIC_BASE_BSP : 0));
    lapic->in_processor = false;
    registers_reset(lapic);
}

bool lapic_write_base(struct lapic *lapic, uint64_t value, unsigned phys_bits)
{
    uint64_t mode = value & (APIC_BASE_ENABLE | APIC_BASE_X2APIC);
    uint64_t old = lapic->base & (APIC_BASE_ENABLE | APIC_BASE_X2APIC);
    uint64_t allowed = (((1ull << phys_bits) - 1) & ~0xfffull) | APIC_BASE_BSP | APIC_BASE_ENABLE |
                       APIC_BASE_X2APIC;

    if ((value & ~allowed) != 0 || mode == APIC_BASE_X2APIC) {
        return false;
    }
    /* SDM 10.12.5: x2APIC is entered from xAPIC and left only by disabling. */
    if (old == 0 && mode == (APIC_BASE_ENABLE | APIC_BASE_X2APIC)) {
        return false;
    }
    if (old == (APIC_BASE_ENABLE | APIC_BASE_X2APIC) && mode == APIC_BASE_ENABLE) {
        return false;
    }
    SHARED_STORE(lapic->base, value);
    if (mode == 0 && old != 0) {
        registers_reset(lapic);
    }
    return true;
}

/* x2APIC's logical ID follows from the APIC's ID: SDM 10.12.10.2. */
static uint32_t logical_id(const struct lapic *lapic, bool x2apic)
{
    return x2apic ? lapic->id / 16 << 16 | 1u << (lapic->id % 16) : lapic->ldr;
}

bool lapic_read(const struct lapic *lapic, unsigned number, bool x2apic, uint64_t now,
                uint64_t *value)
{
    switch (number) {
    case LAPIC_REG_ID:
        *value = x2apic ? lapic->id : lapic->id << 24;
        return true;
    case LAPIC_REG_VERSION:
        *value = LAPIC_VERSION;
        return true;
    case LAPIC_REG_TPR:
        *value = lapic->tpr;
        return true;
    case LAPIC_REG_PPR:
        *value = processor_priority(lapic);
        return true;
    case LAPIC_REG_LDR:
        *value = logical_id(lapic, x2apic);
        return true;
    case LAPIC_REG_DFR:
        *value = lapic->dfr;
        return !x2apic;
    case LAPIC_REG_SVR:
        *value = lapic->svr;
        return true;
    case LAPIC_REG_ESR:
        *value = lapic->esr;
        return true;
    case LAPIC_REG_ICR:
        *value = x2apic ? lapic->icr : (uint32_t)lapic->icr;
        return true;
    case LAPIC_REG_ICR_HIGH:
        *value = lapic->icr >> 32;
        return !x2apic;
    case LAPIC_REG_TIMER_INITIAL:
        *value = lapic->timer_initial;
        return true;
    case LAPIC_REG_TIMER_CURRENT:
        *value = timer_count(lapic, now);
        return true;
    case LAPIC_REG_TIMER_DIVIDE:
        *value = lapic->divide;
        return true;
    default:
        break;
    }
    if (number >= LAPIC_REG_LVT_TIMER && number <= LAPIC_REG_LVT_ERROR) {
        *value = lapic->lvt[number - LAPIC_REG_LVT_TIMER];
        return true;
    }
    if (number >= LAPIC_REG_ISR && number < LAPIC_REG_ESR) {
        static const uint8_t first[3] = { LAPIC_REG_ISR, LAPIC_REG_TMR, LAPIC_REG_IRR };
        const struct lapic_set *sets[3] = { &lapic->isr, &lapic->tmr, &lapic->irr };
        unsigned which = (number - LAPIC_REG_ISR) / 8;

        *value = set_word32(sets[which], number - first[which]);
        return true;
    }
    *value = 0;
    return !x2apic;
}

static struct lapic_outcome outcome(enum lapic_effect effect, uint64_t argument)
{
    return (struct lapic_outcome){ effect, argument };
}

static struct lapic_outcome write_eoi(struct lapic *lapic)
{
    int vector = lapic_end_of_interrupt(lapic);

    return vector < 0 ? outcome(LAPIC_OK, 0) : outcome(LAPIC_EOI, (uint64_t)vector);
}

static struct lapic_outcome write_icr(struct lapic *lapic, bool x2apic, uint64_t value)
{
    /* Vector, delivery mode, destination mode, level, trigger mode, shorthand; the destination. */
    const uint64_t writable = 0xffffffff000ccfffull;
    uint64_t message;

    if (x2apic && (value & ~writable) != 0) {
        return outcome(LAPIC_FAULT, 0);
    }
    lapic->icr = value & writable & ~(uint64_t)ICR_PENDING;
    message = lapic->icr;
    if (!x2apic) {
        uint64_t destination = message >> 56;

        message = (message & 0xffffffff) | destination << 32;
    }
    if ((message & 0x700) == 0 && (message & 0xff) < 16) {
        raise_error(lapic, ESR_SEND_ILLEGAL);
        return outcome(LAPIC_OK, 0);
    }
    return outcome(LAPIC_IPI, message);
}

static struct lapic_outcome write_lvt(struct lapic *lapic, unsigned number, bool x2apic,
                                      uint64_t value, uint64_t now)
{
    unsigned index = number - LAPIC_REG_LVT_TIMER;
    uint32_t old_mode = timer_mode(lapic);

    if (x2apic && (value & ~(uint64_t)(lvt_writable[index] | LVT_STATUS)) != 0) {
        return outcome(LAPIC_FAULT, 0);
    }
    lapic->lvt[index] = (uint32_t)value & lvt_writable[index];
    if ((lapic->svr & SVR_ENABLE) == 0) {
        lapic->lvt[index] |= LVT_MASKED;
    }
    if (index != 0 || timer_mode(lapic) == old_mode) {
        return outcome(LAPIC_OK, 0);
    }
    /* To or from deadline mode disarms (SDM 10.5.4.1); otherwise the count goes on. */
    if (old_mode >= TIMER_DEADLINE || timer_mode(lapic) >= TIMER_DEADLINE) {
        lapic->timer_initial = 0;
        lapic->tsc_deadline = 0;
        timer_start(lapic, now);
    }
    return outcome(LAPIC_TIMER, 0);
}

static struct lapic_outcome write_svr(struct lapic *lapic, uint32_t value)
{
    SHARED_STORE(lapic->svr, value & SVR_WRITABLE);
    if ((lapic->svr & SVR_ENABLE) == 0) {
        disable_vectors(lapic);
    }
    return outcome(LAPIC_OK, 0);
}

/* Registers that exist only in the x2APIC form, or take values there that are checked. */
static bool x2apic_write_valid(unsigned number, uint64_t value)
{
    switch (number) {
    case LAPIC_REG_ESR:
        return value == 0;
    case LAPIC_REG_TPR:
    case LAPIC_REG_SELF_IPI:
        return value <= 0xff;
    case LAPIC_REG_SVR:
        return (value & ~0x13ffull) == 0;
    case LAPIC_REG_TIMER_DIVIDE:
        return (value & ~0xbull) == 0;
    case LAPIC_REG_TIMER_INITIAL:
        return value >> 32 == 0;
    case LAPIC_REG_ICR:
        return true;
    default:
        return number >= LAPIC_REG_LVT_TIMER && number <= LAPIC_REG_LVT_ERROR;
    }
}

/* Apart, so that the end of an interrupt needs no stack frame for the others. */
static __attribute__((noinline)) struct lapic_outcome write_other(struct lapic *lapic,
                                                                  unsigned number, bool x2apic,
                                                                  uint64_t now, uint64_t value)
{
    if (x2apic && !x2apic_write_valid(number, value)) {
        return outcome(LAPIC_FAULT, 0);
    }
    switch (number) {
    case LAPIC_REG_TPR:
        lapic->tpr = (uint32_t)value & 0xff;
        break;
    case LAPIC_REG_LDR:
        SHARED_STORE(lapic->ldr, (uint32_t)value & 0xff000000);
        break;
    case LAPIC_REG_DFR:
        SHARED_STORE(lapic->dfr, (uint32_t)value | 0x0fffffff);
        break;
    case LAPIC_REG_SVR:
        return write_svr(lapic, (uint32_t)value);
    case LAPIC_REG_ESR:
        lapic->esr = lapic->esr_next;
        lapic->esr_next = 0;
        break;
    case LAPIC_REG_ICR:
        return write_icr(lapic, x2apic,
                         x2apic ? value : (lapic->icr & ~0xffffffffull) | (uint32_t)value);
    case LAPIC_REG_ICR_HIGH:
        lapic->icr = (uint32_t)lapic->icr | value << 32;
        break;
    case LAPIC_REG_TIMER_INITIAL:
        if (timer_mode(lapic) > TIMER_PERIODIC) {
            break;
        }
        lapic->timer_initial = (uint32_t)value;
        timer_start(lapic, now);
        return outcome(LAPIC_TIMER, 0);
    case LAPIC_REG_TIMER_DIVIDE:
        timer_divide(lapic, now, (uint32_t)value);
        return outcome(LAPIC_TIMER, 0);
    case LAPIC_REG_SELF_IPI:
        if (x2apic) {
            lapic_set_irr(lapic, (uint8_t)value, false);
        }
        break;
    default:
        if (number >= LAPIC_REG_LVT_TIMER && number <= LAPIC_REG_LVT_ERROR) {
            return write_lvt(lapic, number, x2apic, value, now);
        }
        break;
    }
    return outcome(LAPIC_OK, 0);
}

struct lapic_outcome lapic_write(struct lapic *lapic, unsigned number, bool x2apic, uint64_t now,
                                 uint64_t value)
{
    if (number != LAPIC_REG_EOI) {
        return write_other(lapic, number, x2apic, now, value);
    }
    return x2apic && value != 0 ? outcome(LAPIC_FAULT, 0) : write_eoi(lapic);
}
