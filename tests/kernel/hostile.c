/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A monitor that has gone bad writes anything into any field and enters. Whatever the processor
 * makes of it, the entry ends (a timer sees to that), the kernel lives, and the VCPU can be put
 * right again.
 */
#include "tests/kernel/vm.h"

static const seL4_Word fields[] = {
    VMCS_GUEST_ES_SELECTOR,
    VMCS_GUEST_CS_SELECTOR,
    VMCS_GUEST_SS_SELECTOR,
    VMCS_GUEST_DS_SELECTOR,
    VMCS_GUEST_FS_SELECTOR,
    VMCS_GUEST_GS_SELECTOR,
    VMCS_GUEST_LDTR_SELECTOR,
    VMCS_GUEST_TR_SELECTOR,
    VMCS_GUEST_DEBUGCTL,
    VMCS_GUEST_PAT,
    VMCS_GUEST_EFER,
    VMCS_GUEST_PERF_GLOBAL_CTRL,
    VMCS_GUEST_PDPTE0,
    VMCS_GUEST_PDPTE3,
    VMCS_GUEST_ES_LIMIT,
    VMCS_GUEST_CS_LIMIT,
    VMCS_GUEST_SS_LIMIT,
    VMCS_GUEST_LDTR_LIMIT,
    VMCS_GUEST_TR_LIMIT,
    VMCS_GUEST_GDTR_LIMIT,
    VMCS_GUEST_IDTR_LIMIT,
    VMCS_GUEST_ES_ACCESS_RIGHTS,
    VMCS_GUEST_CS_ACCESS_RIGHTS,
    VMCS_GUEST_SS_ACCESS_RIGHTS,
    VMCS_GUEST_LDTR_ACCESS_RIGHTS,
    VMCS_GUEST_TR_ACCESS_RIGHTS,
    VMCS_GUEST_INTERRUPTIBILITY,
    VMCS_GUEST_ACTIVITY,
    VMCS_GUEST_SMBASE,
    VMCS_GUEST_SYSENTER_CS,
    VMCS_PREEMPTION_TIMER,
    VMCS_GUEST_CR0,
    VMCS_GUEST_CR3,
    VMCS_GUEST_CR4,
    VMCS_GUEST_ES_BASE,
    VMCS_GUEST_CS_BASE,
    VMCS_GUEST_SS_BASE,
    VMCS_GUEST_FS_BASE,
    VMCS_GUEST_GS_BASE,
    VMCS_GUEST_LDTR_BASE,
    VMCS_GUEST_TR_BASE,
    VMCS_GUEST_GDTR_BASE,
    VMCS_GUEST_IDTR_BASE,
    VMCS_GUEST_DR7,
    VMCS_GUEST_RSP,
    VMCS_GUEST_RFLAGS,
    VMCS_GUEST_PENDING_DEBUG,
    VMCS_GUEST_SYSENTER_ESP,
    VMCS_GUEST_SYSENTER_EIP,
    VMCS_CR0_MASK,
    VMCS_CR4_MASK,
    VMCS_CR0_SHADOW,
    VMCS_CR4_SHADOW,
    VMCS_EXCEPTION_BITMAP,
    VMCS_PIN_CONTROLS,
    VMCS_SECONDARY_CONTROLS,
    VMCS_EXIT_CONTROLS,
    VMCS_ENTRY_CONTROLS,
    VMCS_ENTRY_EXCEPTION_ERROR,
    VMCS_TSC_OFFSET,
    VMCS_ENTRY_INSTRUCTION_LENGTH,
    VCPU_FIELD_XCR0,
    VCPU_FIELD_CR2,
    VCPU_FIELD_DR0,
    VCPU_FIELD_DR3,
    VCPU_FIELD_DR6,
    VCPU_FIELD_VIRTUAL_APIC,
    VCPU_FIELD_APIC_TPR,
    VCPU_FIELD_APIC_ISR(3),
    VCPU_FIELD_APIC_IRR(3),
    VMCS_EOI_EXIT_BITMAP(0),
};

static const seL4_Word values[] = {
    0,          1,          ~0ul,       0x8000000000000000, 0x0000800000000000, 0xffff7fffffffffff,
    0x7fffffff, 0xffffffff, 0x55555555, 0xaaaaaaaaaaaaaaaa, 0x80000000,         0x100000000,
    0x10000,    0xfff,
};

static struct vm vm;
static struct vmenter_message m;

/* A guest that spins; what was bad is made good by setting the mode. */
static void set_good_state(void)
{
    vm_set_mode(&vm, VM_LONG);
    seL4_X86_VCPU_WriteVMCS(vm.vcpu, VMCS_EXCEPTION_BITMAP, 0);
    seL4_X86_VCPU_WriteVMCS(vm.vcpu, VMCS_PIN_CONTROLS, 0);
    seL4_X86_VCPU_WriteVMCS(vm.vcpu, VMCS_EXIT_CONTROLS, 0);
    seL4_X86_VCPU_WriteVMCS(vm.vcpu, VMCS_GUEST_PENDING_DEBUG, 0);
    seL4_X86_VCPU_WriteVMCS(vm.vcpu, VMCS_GUEST_DEBUGCTL, 0);
    seL4_X86_VCPU_WriteVMCS(vm.vcpu, VMCS_CR0_MASK, 0);
    seL4_X86_VCPU_WriteVMCS(vm.vcpu, VMCS_CR4_MASK, 0);
    seL4_X86_VCPU_WriteVMCS(vm.vcpu, VMCS_TSC_OFFSET, 0);
    seL4_X86_VCPU_WriteVMCS(vm.vcpu, VCPU_FIELD_VIRTUAL_APIC, 0);
    seL4_X86_VCPU_WriteVMCS(vm.vcpu, VMCS_GUEST_SYSENTER_ESP, 0);
    seL4_X86_VCPU_WriteVMCS(vm.vcpu, VMCS_GUEST_SYSENTER_EIP, 0);
    seL4_X86_VCPU_WriteVMCS(vm.vcpu, VCPU_FIELD_XCR0, 1);
    seL4_X86_VCPU_WriteVMCS(vm.vcpu, VCPU_FIELD_DR6, 0xffff0ff0);
    vm.primary = VMX_PRIMARY_HLT;
}

/* Runs for a while, at most; says whether something came back that the API knows. */
static bool run_briefly(seL4_Word rip, seL4_Word info)
{
    m.word[0] = rip;
    m.word[1] = vm.primary;
    m.word[2] = info;
    seL4_SetMR(VMENTER_MR_ACTIVITY, VCPU_ACTIVITY_ACTIVE);
    seL4_SetMR(VMENTER_MR_DEADLINE, ticks_now() + 200 * tsc_mhz);
    seL4_Word badge;

    if (bulkhead_VMEnterExtended(&m, &badge) != SEL4_VMENTER_RESULT_FAULT)
        return false;
    return m.word[VMENTER_MR_REASON] <= 64 || m.word[VMENTER_MR_REASON] == VMX_EXIT_ENTRY_REFUSED;
}

static void begin(void)
{
    vm_create(&vm, 0);
    if (!(extensions & BULKHEAD_EXT_VCPU_TIMER))
        group_skip("no timer to end what runs for ever");
    vm_bind(&vm, seL4_CapInitThreadTCB);
    set_good_state();
    vm.memory[VM_CODE] = 0xeb; /* jmp to itself */
    vm.memory[VM_CODE + 1] = 0xfe;
}

/* After everything: good state runs. */
static void check_alive(seL4_Word field, seL4_Word value)
{
    set_good_state();
    if (!CHECK(run_briefly(VM_CODE, 0)) ||
        !CHECK_EQ(m.word[VMENTER_MR_REASON], VMX_EXIT_PREEMPTION_TIMER))
        print("     after field 0x%lx, value 0x%lx\n", field, value);
}

static void every_field(void)
{
    begin();
    for (unsigned f = 0; f < ARRAY_LENGTH(fields); f++) {
        for (unsigned v = 0; v < ARRAY_LENGTH(values); v++) {
            if (seL4_X86_VCPU_WriteVMCS(vm.vcpu, fields[f], values[v]).error)
                continue;
            if (!CHECK(run_briefly(VM_CODE, 0)))
                print("     field 0x%lx, value 0x%lx: reason 0x%lx\n", fields[f], values[v],
                      m.word[VMENTER_MR_REASON]);
            check_alive(fields[f], values[v]);
        }
    }
}

/* What is passed with the entry itself. */
static void entry_words(void)
{
    begin();
    for (unsigned v = 0; v < ARRAY_LENGTH(values); v++) {
        CHECK(run_briefly(values[v], 0));
        check_alive(0, values[v]);
        CHECK(run_briefly(VM_CODE, values[v]));
        check_alive(1, values[v]);
        vm.primary = values[v];
        CHECK(run_briefly(VM_CODE, 0));
        check_alive(2, values[v]);
    }
    /* Every type of event with good and bad vectors, with and without error code. */
    for (seL4_Word info = 0; info < 0x1000; info += 0x100) {
        static const unsigned vectors[] = { 0, 2, 3, 8, 14, 31, 32, 255 };

        for (unsigned v = 0; v < ARRAY_LENGTH(vectors); v++) {
            CHECK(run_briefly(VM_CODE, VMX_EVENT_VALID | info | vectors[v]));
            check_alive(3, info | vectors[v]);
        }
    }
}

/* Several fields at once, by chance, the same in every run. */
static void by_chance(void)
{
    seL4_Word state = 12345;

    begin();
    for (unsigned round = 0; round < 300; round++) {
        for (unsigned i = 0; i < 5; i++) {
            state = state * 6364136223846793005ul + 1442695040888963407ul;
            seL4_Word field = fields[(state >> 33) % ARRAY_LENGTH(fields)];

            state = state * 6364136223846793005ul + 1442695040888963407ul;
            seL4_X86_VCPU_WriteVMCS(
                vm.vcpu, field, state & 1 ? values[(state >> 33) % ARRAY_LENGTH(values)] : state);
        }
        CHECK(run_briefly(VM_CODE, state & 2 ? 0 : state >> 17));
        check_alive(round, state);
    }
}

TEST_SUITE(hostile, { "every field", every_field }, { "entry words", entry_words },
           { "by chance", by_chance });
