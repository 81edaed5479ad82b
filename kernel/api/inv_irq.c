/* SPDX-License-Identifier: BSD-2-Clause */
/* Methods of IRQ control and IRQ handlers (ABI section 5.1). */
#include "abi/gen/labels.h"
#include "kernel/api/request.h"
#include "kernel/object/derivation.h"
#include "kernel/object/irq.h"

/* --- I/O APIC pins and MSIs ------------------------------------------------------------------- */

#define SOURCE_WORDS 4 /* I/O APIC, pin, level, polarity; or bus, device, function, handle */

/*
 * Each word's greatest value. Where an MSI comes from is only checked: the caller programs the
 * device, and nothing remaps yet. The handle may be anything.
 */
static enum status check_source(struct request *request, const u64 *source, bool is_msi)
{
    const u64 max_msi[SOURCE_WORDS] = { 255, 31, 7, UINT64_MAX };
    const u64 max_pin[SOURCE_WORDS] = { 0, ioapic_pins() - 1, 1, 1 }; /* there is one I/O APIC */
    const u64 *max = is_msi ? max_msi : max_pin;

    for (unsigned i = 0; i < SOURCE_WORDS; i++)
        if (source[i] > max[i])
            return error_range(request, 0, max[i]);
    return STATUS_OK;
}

/* A free vector, an empty slot, a source that there is: then the handler is made. */
enum status invoke_irq_control_issue(struct request *request)
{
    bool is_msi = request->label == X86IRQIssueIRQHandlerMSI;
    u64 source[SOURCE_WORDS], vector = request_word(request, 6);
    unsigned irq = (unsigned)vector;
    struct slot *slot;

    for (unsigned i = 0; i < SOURCE_WORDS; i++)
        source[i] = request_word(request, 2 + i);
    if (vector >= IRQ_COUNT)
        return error_range(request, 0, IRQ_COUNT - 1);
    if (irqs[irq].state != IRQ_FREE)
        return error_code(request, seL4_RevokeFirst);
    slot = request_empty_slot(request, request->extra[0]->cap, 0);
    if (!slot || check_source(request, source, is_msi) != STATUS_OK)
        return STATUS_ERROR;
    if (is_msi)
        irq_issue_msi(irq);
    else
        irq_issue_io_apic(irq, (unsigned)source[1], source[2], source[3]);
    slot_insert_new(request->slot, slot, cap_make(CAP_IRQ_HANDLER, hpa(0), 0, irq));
    return STATUS_OK;
}

/* --- handlers --------------------------------------------------------------------------------- */

enum status invoke_irq_handler_ack(struct request *request)
{
    irq_acknowledge(irq_handler_irq(request->cap));
    return STATUS_OK;
}

enum status invoke_irq_handler_set_notification(struct request *request)
{
    unsigned irq = irq_handler_irq(request->cap);
    struct slot *source = request->extra[0];
    enum status status;

    if (source->cap.type != CAP_NOTIFICATION || !(cap_rights(source->cap) & RIGHT_WRITE))
        return error_capability(request, 0);
    status = irq_clear_notification(irq);
    if (status == STATUS_OK)
        slot_insert(source->cap, source, &irqs[irq].notification);
    return status;
}

enum status invoke_irq_handler_clear(struct request *request)
{
    return irq_clear_notification(irq_handler_irq(request->cap));
}
