/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/vmm/fake_host.h"

#include <stdlib.h>
#include <string.h>

#define NR_FIELDS 256u

struct fake_host fake_host;

/* For each vCPU. */
static struct fields {
    struct {
        uint64_t field, value;
    } list[NR_FIELDS];
    unsigned nr;
} all_fields[VMM_MAX_VCPUS];

static uint64_t *field_slot(unsigned index, uint64_t field)
{
    struct fields *fields = &all_fields[index];

    for (unsigned i = 0; i < fields->nr; i++) {
        if (fields->list[i].field == field) {
            return &fields->list[i].value;
        }
    }
    if (fields->nr == NR_FIELDS) {
        abort();
    }
    fields->list[fields->nr].field = field;
    fields->list[fields->nr].value = 0;
    return &fields->list[fields->nr++].value;
}

uint64_t fake_field(uint64_t field)
{
    return *field_slot(0, field);
}

void fake_set_field(uint64_t field, uint64_t value)
{
    *field_slot(0, field) = value;
}

void vcpu_yield(struct vcpu *vcpu)
{
    fake_host.yields[vcpu->index]++;
}

void vcpu_kick(struct vcpu *vcpu)
{
    fake_host.kicks[vcpu->index]++;
}

/* There is one thread, so nobody ever waits. */
void lock_turn_wait(unsigned me)
{
    (void)me;
    abort();
}

void lock_turn_give(unsigned to)
{
    (void)to;
    abort();
}

uint64_t vcpu_read_field(struct vcpu *vcpu, uint64_t field)
{
    fake_host.nr_field_reads++;
    return *field_slot(vcpu->index, field);
}

bool vcpu_write_field(struct vcpu *vcpu, uint64_t field, uint64_t value)
{
    if ((field == fake_host.refused_field && field != 0) ||
        (field == VCPU_FIELD_VIRTUAL_APIC && !fake_host.virtual_apic)) {
        return false;
    }
    *field_slot(vcpu->index, field) = value;
    return true;
}

/* MSRs share the array, out of the way of the fields. */
uint64_t vcpu_read_msr(struct vcpu *vcpu, uint64_t msr)
{
    return *field_slot(vcpu->index, msr | 1ull << 40);
}

bool vcpu_write_msr(struct vcpu *vcpu, uint64_t msr, uint64_t value)
{
    *field_slot(vcpu->index, msr | 1ull << 40) = value;
    return true;
}

enum vcpu_return vcpu_enter(struct vcpu *vcpu, uint64_t *badge)
{
    (void)vcpu;
    (void)badge;
    abort();
}

uint64_t host_tsc(void)
{
    return fake_host.tsc;
}

static struct console_channel channel;
static struct ring output, input;

void fake_console(void)
{
    bool more = fake_host.input != NULL;

    fake_host.console_waits = false;
    while (!fake_host.console_busy && fake_host.nr_sent < FAKE_MAX_SENT &&
           ring_get(&output, &fake_host.sent[fake_host.nr_sent], 1) != 0) {
        fake_host.nr_sent++;
    }
    while (more && *fake_host.input != '\0' && ring_put(&input, fake_host.input, 1) != 0) {
        fake_host.input++;
    }
    ring_may_sleep(&output, 1);
}

void fake_console_take(unsigned bytes)
{
    for (; bytes != 0 && fake_host.nr_sent < FAKE_MAX_SENT; bytes--) {
        ring_get(&output, &fake_host.sent[fake_host.nr_sent++], 1);
    }
}

void fake_console_ask(void)
{
    channel.show++;
}

void console_signal(void)
{
    fake_host.console_waits = true;
    fake_console();
}

void console_relax(void)
{
    fake_host.tsc += 1000;
    fake_console();
}

void disk_signal(unsigned index)
{
    fake_host.disk_signals[index]++;
}

void fake_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid_registers *value)
{
    *value = (struct cpuid_registers){ 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff };
    switch (leaf) {
    case 0:
        *value = (struct cpuid_registers){ 0xd, 0x68747541, 0x444d4163, 0x69746e65 };
        break;
    case 0x80000000:
        *value = (struct cpuid_registers){ 0x8000001e, 0x68747541, 0x444d4163, 0x69746e65 };
        break;
    case 0x80000008:
        *value = (struct cpuid_registers){ 0x3928, 0xffffffff, 0xffffffff, 0 };
        break;
    case 0xd:
        if (subleaf == 2) {
            *value = (struct cpuid_registers){ 256, 576, 0, 0 };
        }
        break;
    default:
        break;
    }
}

void fake_vm_power_on(struct vm *vm)
{
    vm->entry = (struct linux_entry){ 0 };
    vm_reset(vm);
    for (unsigned i = 0; i < vm->nr_vcpus; i++) {
        vcpu_power_on(&vm->vcpus[i], &vm->entry);
    }
}

static struct vmm_config config = {
    .magic = VMM_CONFIG_MAGIC,
    .version = VMM_CONFIG_VERSION,
    .ram_bytes = FAKE_RAM_BYTES,
    .tsc_mhz = 1000,
    .boot_time = FAKE_BOOT_TIME,
    .name = "fake",
};

void fake_vm_set_yielding(uint32_t vcpus)
{
    config.yielding = vcpus;
}

void fake_vm_set_watchdog(uint32_t milliseconds)
{
    config.watchdog_ms = milliseconds;
}

void fake_vm_set_flags(uint32_t flags)
{
    config.flags = flags;
}

struct vm *fake_vm_make_vcpus(unsigned nr_vcpus)
{
    struct vm *vm = aligned_alloc(_Alignof(struct vm), sizeof(*vm));

    memset(vm, 0, sizeof(*vm));
    fake_vm_set_yielding(0);
    fake_vm_set_watchdog(0);
    fake_vm_set_flags(0);
    fake_host = (struct fake_host){ .tsc = 1000000 };
    memset(all_fields, 0, sizeof(all_fields));
    config.nr_vcpus = nr_vcpus;
    for (unsigned i = 0; i < nr_vcpus; i++) {
        vm->vcpus[i].message = calloc(1, sizeof(struct vcpu_message));
    }
    vm_init(vm, &config, aligned_alloc(4096, FAKE_RAM_BYTES), fake_cpuid);
    memset(vm->ram.base, 0, FAKE_RAM_BYTES);
    memset(&channel, 0, sizeof(channel));
    ring_init(&output, RING_CONSUMER, &channel.output, channel.output_bytes, 1,
              CONSOLE_OUTPUT_BYTES);
    ring_init(&input, RING_PRODUCER, &channel.input, channel.input_bytes, 1, CONSOLE_INPUT_BYTES);
    console_init(&vm->console, &channel);
    fake_vm_power_on(vm);
    fake_host.nr_sent = 0;
    return vm;
}

struct vm *fake_vm_make(void)
{
    return fake_vm_make_vcpus(1);
}

void fake_vm_free(struct vm *vm)
{
    free(vm->ram.base);
    for (unsigned i = 0; i < vm->nr_vcpus; i++) {
        free(vm->vcpus[i].message);
    }
    free(vm);
}
