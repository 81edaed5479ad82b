/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/x86/virt/vmx/vmx_capabilities.h"

#include "abi/vmcs.h"

enum where { PIN, PRIMARY, SECONDARY, EXIT, ENTRY, EPT_VPID };

struct capability {
    const char *name;
    enum where where;
    u64 bits; /* all of them */
};

static const struct capability needed[] = {
    { "external-interrupt exiting", PIN, VMX_PIN_EXTERNAL_INTERRUPT },
    { "NMI exiting", PIN, VMX_PIN_NMI },
    { "virtual NMIs", PIN, VMX_PIN_VIRTUAL_NMI },
    { "interrupt-window exiting", PRIMARY, VMX_PRIMARY_INTERRUPT_WINDOW },
    { "NMI-window exiting", PRIMARY, VMX_PRIMARY_NMI_WINDOW },
    { "TSC offsetting", PRIMARY, VMX_PRIMARY_TSC_OFFSETTING },
    { "HLT exiting", PRIMARY, VMX_PRIMARY_HLT },
    { "RDPMC, MONITOR and MWAIT exiting", PRIMARY,
      VMX_PRIMARY_RDPMC | VMX_PRIMARY_MONITOR | VMX_PRIMARY_MWAIT },
    { "CR8 exiting", PRIMARY, VMX_PRIMARY_CR8_LOAD | VMX_PRIMARY_CR8_STORE },
    { "MOV-DR exiting", PRIMARY, VMX_PRIMARY_MOV_DR },
    { "I/O bitmaps", PRIMARY, VMX_PRIMARY_IO_BITMAPS },
    { "MSR bitmaps", PRIMARY, VMX_PRIMARY_MSR_BITMAPS },
    { "secondary controls", PRIMARY, VMX_PRIMARY_SECONDARY },
    { "extended page tables (EPT)", SECONDARY, VMX_SECONDARY_EPT },
    { "64-bit host", EXIT, VMX_EXIT_CTL_HOST_64 },
    { "save and load of IA32_PAT", EXIT, VMX_EXIT_CTL_SAVE_PAT | VMX_EXIT_CTL_LOAD_PAT },
    { "save and load of IA32_EFER", EXIT, VMX_EXIT_CTL_SAVE_EFER | VMX_EXIT_CTL_LOAD_EFER },
    { "64-bit guests", ENTRY, VMX_ENTRY_CTL_GUEST_64 },
    { "load of a guest's IA32_PAT and IA32_EFER", ENTRY,
      VMX_ENTRY_CTL_LOAD_PAT | VMX_ENTRY_CTL_LOAD_EFER },
    { "EPT walks of 4 levels", EPT_VPID, VMX_EPT_WALK_4 },
    { "EPT in write-back memory", EPT_VPID, VMX_EPT_WRITE_BACK },
    { "EPT pages of 2 MiB", EPT_VPID, VMX_EPT_2M },
    { "INVEPT of one context", EPT_VPID, VMX_INVEPT | VMX_INVEPT_SINGLE },
};

static const struct capability used[] = {
    { "unrestricted guest (real mode)", SECONDARY, VMX_SECONDARY_UNRESTRICTED_GUEST },
    { "VPID", SECONDARY, VMX_SECONDARY_VPID },
    { "INVVPID of all contexts", EPT_VPID, VMX_INVVPID | VMX_INVVPID_ALL },
    { "the preemption timer", PIN, VMX_PIN_PREEMPTION_TIMER },
    { "WBINVD exiting", SECONDARY, VMX_SECONDARY_WBINVD },
    { "RDTSCP", SECONDARY, VMX_SECONDARY_RDTSCP },
    { "INVPCID", SECONDARY, VMX_SECONDARY_INVPCID },
    { "EPT pages of 1 GiB", EPT_VPID, VMX_EPT_1G },
    { "a shadow of the TPR", PRIMARY, VMX_PRIMARY_TPR_SHADOW },
    { "virtual x2APICs with interrupt delivery", SECONDARY, VMX_SECONDARY_VIRTUAL_APIC },
};

const char *vmx_next_lacking(const struct vmx_capabilities *capabilities, bool is_needed,
                             unsigned *position)
{
    const u64 reported[] = {
        [PIN] = capabilities->pin.may,
        [PRIMARY] = capabilities->primary.may,
        [SECONDARY] = capabilities->secondary.may,
        [EXIT] = capabilities->exit.may,
        [ENTRY] = capabilities->entry.may,
        [EPT_VPID] = capabilities->ept_vpid,
    };
    const struct capability *list = is_needed ? needed : used;
    unsigned count = is_needed ? ARRAY_LENGTH(needed) : ARRAY_LENGTH(used);

    while (*position < count) {
        const struct capability *capability = &list[(*position)++];

        if (capability->bits & ~reported[capability->where])
            return capability->name;
    }
    return NULL;
}

/* Numbers come to an end, and then all have to be forgotten. */
bool vmx_has_vpid(const struct vmx_capabilities *capabilities)
{
    return (capabilities->secondary.may & VMX_SECONDARY_VPID) &&
           (~capabilities->ept_vpid & (VMX_INVVPID | VMX_INVVPID_ALL)) == 0;
}

bool vmx_has_virtual_apic(const struct vmx_capabilities *capabilities)
{
    return (capabilities->primary.may & VMX_PRIMARY_TPR_SHADOW) &&
           (~capabilities->secondary.may & VMX_SECONDARY_VIRTUAL_APIC) == 0;
}
