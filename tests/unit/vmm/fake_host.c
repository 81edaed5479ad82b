/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/vmm/fake_host.h"

#include <stdlib.h>
#include <string.h>

#define NR_FIELDS 256u

struct fake_host fake_host;

static struct {
    uint64_t field, value;
} fields[NR_FIELDS];
static unsigned nr_fields;

static uint64_t *field_slot(uint64_t field)
{
    for (unsigned i = 0; i < nr_fields; i++) {
        if (fields[i].field == field) {
            return &fields[i].value;
        }
    }
    if (nr_fields == NR_FIELDS) {
        abort();
    }
    fields[nr_fields].field = field;
    fields[nr_fields].value = 0;
    return &fields[nr_fields++].value;
}

uint64_t fake_field(uint64_t field)
{
    return *field_slot(field);
}

void fake_set_field(uint64_t field, uint64_t value)
{
    *field_slot(field) = value;
}

uint64_t vcpu_read_field(struct vcpu *vcpu, uint64_t field)
{
    (void)vcpu;
    return *field_slot(field);
}

bool vcpu_write_field(struct vcpu *vcpu, uint64_t field, uint64_t value)
{
    (void)vcpu;
    if (field == fake_host.refused_field && field != 0) {
        return false;
    }
    *field_slot(field) = value;
    return true;
}

/* MSRs share the array, out of the way of the fields. */
uint64_t vcpu_read_msr(struct vcpu *vcpu, uint64_t msr)
{
    (void)vcpu;
    return *field_slot(msr | 1ull << 40);
}

bool vcpu_write_msr(struct vcpu *vcpu, uint64_t msr, uint64_t value)
{
    (void)vcpu;
    *field_slot(msr | 1ull << 40) = value;
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

void console_signal(void)
{
    fake_host.console_waits = true;
    fake_console();
}

void console_relax(void)
{
    fake_console();
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

struct vm *fake_vm_make(void)
{
    static struct vmm_config config = {
        .magic = VMM_CONFIG_MAGIC,
        .version = VMM_CONFIG_VERSION,
        .nr_vcpus = 1,
        .ram_bytes = FAKE_RAM_BYTES,
        .tsc_mhz = 1000,
        .name = "fake",
    };
    struct vm *vm = calloc(1, sizeof(*vm));

    fake_host = (struct fake_host){ .tsc = 1000000 };
    nr_fields = 0;
    vm->vcpus[0].message = calloc(1, sizeof(struct vcpu_message));
    vm_init(vm, &config, aligned_alloc(4096, FAKE_RAM_BYTES), fake_cpuid);
    memset(vm->ram.base, 0, FAKE_RAM_BYTES);
    memset(&channel, 0, sizeof(channel));
    ring_init(&output, RING_CONSUMER, &channel.output, channel.output_bytes, 1,
              CONSOLE_OUTPUT_BYTES);
    ring_init(&input, RING_PRODUCER, &channel.input, channel.input_bytes, 1, CONSOLE_INPUT_BYTES);
    console_init(&vm->console, &channel);
    vm_power_on(vm, &(struct linux_entry){ 0 });
    fake_host.nr_sent = 0;
    return vm;
}

void fake_vm_free(struct vm *vm)
{
    free(vm->ram.base);
    free(vm->vcpus[0].message);
    free(vm);
}
