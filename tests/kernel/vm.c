/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/kernel/vm.h"

#include "lib/string.h"

#define VIEW_BASE (TEST_VADDR + (1ul << 30)) /* where we see the memory of VMs */

#define CODE_64  0xa09bu
#define CODE_32  0xc09bu
#define DATA_32  0xc093u
#define CODE_16  0x009bu
#define DATA_16  0x0093u
#define TSS_BUSY 0x008bu
#define LDT_NONE VMX_AR_UNUSABLE

void vm_write(struct vm *vm, seL4_Word field, seL4_Word value)
{
    seL4_X86_VCPU_WriteVMCS_t answer = seL4_X86_VCPU_WriteVMCS(vm->vcpu, field, value);

    if (!CHECK_EQ(answer.error, seL4_NoError)) {
        print("     writing field 0x%lx\n", field);
        group_abort();
    }
}

seL4_Word vm_read(struct vm *vm, seL4_Word field)
{
    seL4_X86_VCPU_ReadVMCS_t answer = seL4_X86_VCPU_ReadVMCS(vm->vcpu, field);

    if (!CHECK_EQ(answer.error, seL4_NoError)) {
        print("     reading field 0x%lx\n", field);
        group_abort();
    }
    return answer.value;
}

void vm_create(struct vm *vm, unsigned n)
{
    if (!have_virtualisation())
        group_skip("the processor has neither SVM nor VMX");
    vm->memory = (volatile unsigned char *)(VIEW_BASE + n * VM_MEMORY_BYTES);
    vm->primary = VMX_PRIMARY_HLT;
    vm->ept = object_new(seL4_X86_EPTPML4Object, 0);
    vm->frame = object_new(seL4_X86_LargePageObject, 0);
    vm->vcpu = object_new(seL4_X86_VCPUObject, 0);
    REQUIRE_OK(seL4_X86_ASIDPool_Assign(seL4_CapInitThreadASIDPool, vm->ept));
    REQUIRE_OK(seL4_X86_EPTPDPT_Map(object_new(seL4_X86_EPTPDPTObject, 0), vm->ept, 0,
                                    seL4_X86_EPT_Default_VMAttributes));
    REQUIRE_OK(seL4_X86_EPTPD_Map(object_new(seL4_X86_EPTPDObject, 0), vm->ept, 0,
                                  seL4_X86_EPT_Default_VMAttributes));
    REQUIRE_OK(seL4_X86_Page_MapEPT(vm->frame, vm->ept, 0, seL4_AllRights,
                                    seL4_X86_EPT_Default_VMAttributes));
    REQUIRE_OK(frame_map(cap_copy(vm->frame, seL4_AllRights), seL4_CapInitThreadVSpace,
                         (seL4_Word)vm->memory, seL4_ReadWrite, 0));

    *vm_word(vm, 0x1000) = 0x2007;
    *vm_word(vm, 0x2000) = 0x3007;
    *vm_word(vm, 0x3000) = 0x87;
    *vm_word(vm, 0x3008) = 0x200087;
    *vm_word32(vm, 0x4000) = 0x87;
    *vm_word(vm, 0x5000) = 0x3001;
}

void vm_bind(struct vm *vm, seL4_CPtr tcb)
{
    REQUIRE_OK(seL4_X86_VCPU_SetTCB(vm->vcpu, tcb));
    REQUIRE_OK(seL4_TCB_SetEPTRoot(tcb, vm->ept));
}

void vm_load(struct vm *vm, const char *code, const char *end)
{
    for (seL4_Word i = 0; code + i < end; i++)
        vm->memory[VM_CODE + i] = (unsigned char)code[i];
}

bool vm_mode_exists(enum vm_mode mode)
{
    if ((mode != VM_PROTECTED && mode != VM_REAL) || !have_virtualisation())
        return true; /* vm_create knows better */
    return seL4_X86_VCPU_WriteVMCS(object_new(seL4_X86_VCPUObject, 0), VMCS_SECONDARY_CONTROLS,
                                   VMX_SECONDARY_UNRESTRICTED_GUEST)
               .written &
           VMX_SECONDARY_UNRESTRICTED_GUEST;
}

static void set_segment(struct vm *vm, unsigned segment, seL4_Word selector, seL4_Word base,
                        seL4_Word limit, seL4_Word rights)
{
    vm_write(vm, VMCS_GUEST_SELECTOR(segment), selector);
    vm_write(vm, VMCS_GUEST_BASE(segment), base);
    vm_write(vm, VMCS_GUEST_LIMIT(segment), limit);
    vm_write(vm, VMCS_GUEST_ACCESS_RIGHTS(segment), rights);
}

static void set_segments(struct vm *vm, enum vm_mode mode)
{
    bool real = mode == VM_REAL;
    seL4_Word code = mode == VM_LONG ? CODE_64 : real ? CODE_16 : CODE_32;
    seL4_Word data = real ? DATA_16 : DATA_32;
    seL4_Word limit = real ? 0xffff : 0xffffffff;

    set_segment(vm, VMCS_SEGMENT_CS, real ? 0 : 8, 0, limit, code);
    set_segment(vm, VMCS_SEGMENT_SS, real ? 0 : 16, 0, limit, data);
    set_segment(vm, VMCS_SEGMENT_DS, real ? 0 : 16, 0, limit, data);
    set_segment(vm, VMCS_SEGMENT_ES, real ? 0 : 16, 0, limit, data);
    /* Real mode on VT-x wants base = selector * 16: the hole is then out of reach, on both. */
    set_segment(vm, VMCS_SEGMENT_FS, real ? 0 : 16, real ? 0 : VM_HOLE, limit, data);
    set_segment(vm, VMCS_SEGMENT_GS, real ? VM_DATA >> 4 : 16, VM_DATA, limit, data);
    set_segment(vm, VMCS_SEGMENT_LDTR, 0, 0, 0, LDT_NONE);
    set_segment(vm, VMCS_SEGMENT_TR, 24, 0x9000, 0x67, TSS_BUSY);
    vm_write(vm, VMCS_GUEST_GDTR_BASE, VM_GDT);
    vm_write(vm, VMCS_GUEST_GDTR_LIMIT, 0x1f);
    vm_write(vm, VMCS_GUEST_IDTR_BASE, VM_IDT);
    vm_write(vm, VMCS_GUEST_IDTR_LIMIT, 0);
    *vm_word(vm, VM_GDT + 8) = mode == VM_LONG ? 0x00af9b000000ffff : 0x00cf9b000000ffff;
    *vm_word(vm, VM_GDT + 16) = 0x00cf93000000ffff;
}

void vm_set_mode(struct vm *vm, enum vm_mode mode)
{
    static const struct {
        seL4_Word cr0, cr3, cr4, efer;
    } control[VM_MODES] = {
        [VM_LONG] = { 0x80010031, 0x1000, 0x620, 0x500 }, /* SSE, too */
        [VM_COMPATIBILITY] = { 0x80010031, 0x1000, 0x20, 0x500 },
        [VM_PAGED] = { 0x80010031, 0x4000, 0x10, 0 },
        [VM_PAE] = { 0x80010031, 0x5000, 0x20, 0 },
        [VM_PROTECTED] = { 0x31, 0, 0, 0 },
        [VM_REAL] = { 0x30, 0, 0, 0 },
    };
    seL4_Word entry = vm_read(vm, VMCS_ENTRY_CONTROLS) & ~(seL4_Word)VMX_ENTRY_CTL_GUEST_64;
    bool long_mode = control[mode].efer;

    vm_write(vm, VMCS_ENTRY_CONTROLS,
             entry | VMX_ENTRY_CTL_LOAD_EFER | (long_mode ? VMX_ENTRY_CTL_GUEST_64 : 0));
    vm_write(vm, VMCS_SECONDARY_CONTROLS,
             mode == VM_PROTECTED || mode == VM_REAL ? VMX_SECONDARY_UNRESTRICTED_GUEST : 0);
    vm_write(vm, VMCS_GUEST_CR0, control[mode].cr0);
    vm_write(vm, VMCS_GUEST_CR3, control[mode].cr3);
    vm_write(vm, VMCS_GUEST_CR4, control[mode].cr4);
    vm_write(vm, VMCS_GUEST_EFER, control[mode].efer);
    if (!cpu_is_amd() && mode == VM_PAE)
        vm_write(vm, VMCS_GUEST_PDPTE0, 0x3001);
    set_segments(vm, mode);
    vm_write(vm, VMCS_GUEST_RSP, VM_STACK);
    vm_write(vm, VMCS_GUEST_RFLAGS, 2);
    vm_write(vm, VMCS_GUEST_DR7, 0x400);
    vm_write(vm, VMCS_GUEST_PAT, 0x0007040600070406);
    vm_write(vm, VMCS_GUEST_INTERRUPTIBILITY, 0);
    vm_write(vm, VMCS_GUEST_ACTIVITY, 0);
    vm->primary = vm_read(vm, VMCS_PRIMARY_CONTROLS) | VMX_PRIMARY_HLT;
}

static seL4_Word enter(struct vmenter_message *m, bool extended)
{
    seL4_Word badge;
    seL4_Word result = extended ? bulkhead_VMEnterExtended(m, &badge) : bulkhead_VMEnter(m, &badge);

    if (result == SEL4_VMENTER_RESULT_NOTIF) {
        m->word[3] = badge;
        return VM_NOTIFIED;
    }
    return m->word[VMENTER_MR_REASON];
}

seL4_Word vm_run_inject(struct vm *vm, struct vmenter_message *m, seL4_Word rip, seL4_Word info)
{
    m->word[0] = rip;
    m->word[1] = vm->primary;
    m->word[2] = info;
    return enter(m, false);
}

seL4_Word vm_run(struct vm *vm, struct vmenter_message *m, seL4_Word rip)
{
    return vm_run_inject(vm, m, rip, 0);
}

seL4_Word vm_run_extended(struct vm *vm, struct vmenter_message *m, seL4_Word rip,
                          seL4_Word activity, seL4_Word deadline_us)
{
    m->word[0] = rip;
    m->word[1] = vm->primary;
    m->word[2] = 0;
    seL4_SetMR(VMENTER_MR_ACTIVITY, activity);
    seL4_SetMR(VMENTER_MR_DEADLINE,
               deadline_us ? ticks_now() + deadline_us * tsc_mhz : VCPU_DEADLINE_OFF);
    return enter(m, true);
}
