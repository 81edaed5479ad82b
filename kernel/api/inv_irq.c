/* SPDX-License-Identifier: BSD-2-Clause */
/* Methods of IRQ control and IRQ handlers (ABI section 5.1). */
#include "kernel/api/request.h"
#include "kernel/object/derivation.h"
#include "kernel/object/irq.h"

/* There is no legacy interrupt controller to get handlers of. */
enum status invoke_irq_control_get(struct request *request)
{
    return error_code(request, seL4_IllegalOperation);
}

/* --- I/O APIC pins and MSIs: what the two have in common -------------------------------------- */

/* The message of both: read once, because the caller's buffer may change meanwhile. */
struct irq_message {
    u64 index, depth; /* of the slot for the handler */
    u64 source[4];    /* I/O APIC, pin, level, polarity; or bus, device, function, handle */
    u64 vector;
};

static struct irq_message read_message(const struct request *request)
{
    return (struct irq_message){
        .index = request_word(request, 0),
        .depth = request_word(request, 1),
        .source = { request_word(request, 2), request_word(request, 3), request_word(request, 4),
                    request_word(request, 5) },
        .vector = request_word(request, 6),
    };
}

static enum status check_vector_and_slot(struct request *request, const struct irq_message *message,
                                         struct slot **slot)
{
    if (message->vector >= IRQ_COUNT)
        return error_range(request, 0, IRQ_COUNT - 1);
    if (irqs[message->vector].state != IRQ_FREE)
        return error_code(request, seL4_RevokeFirst);
    return request_empty_slot(request, request->extra[0]->cap, message->index, message->depth,
                              slot);
}

/* Each of the source's words against the greatest value that it may have. */
static enum status check_source(struct request *request, const u64 *source, const u64 *max,
                                unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (source[i] > max[i])
            return error_range(request, 0, max[i]);
    }
    return STATUS_OK;
}

typedef enum status source_check(struct request *request, const u64 source[4]);
typedef void source_issue(unsigned irq, const u64 source[4]);

/* A free vector, an empty slot, a source that there is: then the handler is made. */
static enum status issue_handler(struct request *request, source_check *check, source_issue *issue)
{
    struct irq_message message = read_message(request);
    unsigned irq = (unsigned)message.vector;
    struct slot *slot;
    enum status status = check_vector_and_slot(request, &message, &slot);

    if (status == STATUS_OK)
        status = check(request, message.source);
    if (status != STATUS_OK)
        return status;
    issue(irq, message.source);
    slot_insert_new(request->slot, slot, cap_make(CAP_IRQ_HANDLER, hpa(0), 0, irq));
    return STATUS_OK;
}

/* --- what differs ----------------------------------------------------------------------------- */

static enum status check_pin(struct request *request, const u64 source[4])
{
    if (ioapic_count() == 0)
        return error_code(request, seL4_IllegalOperation);

    u64 max[] = { ioapic_count() - 1, 0, 1, 1 };

    if (source[0] <= max[0])
        max[1] = ioapic_pins((unsigned)source[0]) - 1;
    return check_source(request, source, max, ARRAY_LENGTH(max));
}

static void issue_pin(unsigned irq, const u64 source[4])
{
    irq_issue_io_apic(irq, (unsigned)source[0], (unsigned)source[1], source[2], source[3]);
}

/*
 * Where a message comes from is only checked: the caller programs the device, and nothing remaps
 * yet. The handle may be anything.
 */
static enum status check_message_source(struct request *request, const u64 source[4])
{
    static const u64 max[] = { 255, 31, 7 }; /* bus, device, function */

    return check_source(request, source, max, ARRAY_LENGTH(max));
}

static void issue_message(unsigned irq, const u64 source[4])
{
    (void)source;
    irq_issue_msi(irq);
}

enum status invoke_irq_control_get_io_apic(struct request *request)
{
    return issue_handler(request, check_pin, issue_pin);
}

enum status invoke_irq_control_get_msi(struct request *request)
{
    return issue_handler(request, check_message_source, issue_message);
}

/* --- handlers --------------------------------------------------------------------------------- */

enum status invoke_irq_handler_ack(struct request *request)
{
    irq_acknowledge(irq_handler_irq(request->cap));
    return STATUS_OK;
}

enum status invoke_irq_handler_set_notification(struct request *request)
{
    struct slot *notification = request->extra[0];

    if (notification->cap.type != CAP_NOTIFICATION ||
        !(cap_rights(notification->cap) & RIGHT_WRITE))
        return error_capability(request, 0);

    enum status status = irq_clear_notification(irq_handler_irq(request->cap));

    if (status == STATUS_OK)
        irq_set_notification(irq_handler_irq(request->cap), notification);
    return status;
}

enum status invoke_irq_handler_clear(struct request *request)
{
    return irq_clear_notification(irq_handler_irq(request->cap));
}
