/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The MSR policy: one table, a row for each register or range that a guest may know of. An access
 * to anything else, or a value that the register cannot take, is #GP for the guest, and counted.
 *
 * Registers that the kernel lets the guest access directly (FS and GS base, SYSENTER, STAR and its
 * family) have rows nevertheless: which of them exit differs between processors.
 *
 * Sources: Intel SDM vol. 4; AMD APM vol. 2 appendix A; Linux Documentation/virt/kvm/x86/msr.rst.
 */
#include "user/vmm/pvclock.h"
#include "user/vmm/vm.h"

enum {
    MSR_TSC = 0x10,
    MSR_KVM_WALL_CLOCK_OLD = 0x11,
    MSR_KVM_SYSTEM_TIME_OLD = 0x12,
    MSR_PLATFORM_ID = 0x17,
    MSR_APIC_BASE = 0x1b,
    MSR_FEATURE_CONTROL = 0x3a,
    MSR_TSC_ADJUST = 0x3b,
    MSR_UPDATE_SIGNATURE = 0x8b,
    MSR_MTRR_CAP = 0xfe,
    MSR_SYSENTER_CS = 0x174,
    MSR_SYSENTER_ESP = 0x175,
    MSR_SYSENTER_EIP = 0x176,
    MSR_MCG_CAP = 0x179,
    MSR_MCG_STATUS = 0x17a,
    MSR_MISC_ENABLE = 0x1a0,
    MSR_DEBUGCTL = 0x1d9,
    MSR_MTRR_VARIABLE = 0x200,
    MSR_MTRR_FIX_64K = 0x250,
    MSR_MTRR_FIX_16K = 0x258,
    MSR_MTRR_FIX_4K = 0x268,
    MSR_PAT = 0x277,
    MSR_MTRR_DEFAULT = 0x2ff,
    MSR_TSC_DEADLINE = 0x6e0,
    MSR_X2APIC = 0x800,
    MSR_KVM_WALL_CLOCK = 0x4b564d00,
    MSR_KVM_SYSTEM_TIME = 0x4b564d01,
    MSR_KVM_EOI = 0x4b564d04,
    MSR_EFER = 0xc0000080,
    MSR_FS_BASE = 0xc0000100,
    MSR_GS_BASE = 0xc0000101,
    MSR_AMD_SYSCFG = 0xc0010010,
    MSR_AMD_HWCR = 0xc0010015,
    MSR_AMD_NB_CFG = 0xc001001f,
    MSR_AMD_INT_PENDING = 0xc0010055, /* C1E: never entered here */
    MSR_AMD_DE_CFG = 0xc0011029,
};

#define MTRR_CAP          0x508ull /* eight variable ranges, fixed ranges, write-combining */
#define MTRR_DEFAULT_BOOT 0xc06ull /* on, fixed on, write-back */
#define MTRR_WRITE_BACK   0x0606060606060606ull
#define PAT_BOOT          0x0007040600070406ull
#define MISC_FAST_STRINGS 1ull
#define HWCR_TSC_P0       (1ull << 24) /* the TSC counts at the nominal frequency */
#define DE_CFG_LFENCE     (1ull << 1)  /* LFENCE serialises */
#define FEATURE_LOCKED    1ull         /* and VMX off */
#define UPDATE_SIGNATURE  0x01000065ull

struct msr_row;
typedef bool msr_reader(struct vcpu *vcpu, const struct msr_row *row, uint32_t msr,
                        uint64_t *value);
typedef bool msr_writer(struct vcpu *vcpu, const struct msr_row *row, uint32_t msr, uint64_t value);

struct msr_row {
    uint32_t first, last;
    msr_reader *read;  /* false: #GP */
    msr_writer *write; /* false: #GP */
    uint64_t argument; /* constant, VMCS field, or offset in struct vcpu_msrs */
};

static bool is_canonical(uint64_t address)
{
    return (uint64_t)((int64_t)(address << 16) >> 16) == address;
}

/* --- ways to read and write --- */

static bool read_constant(struct vcpu *vcpu, const struct msr_row *row, uint32_t msr,
                          uint64_t *value)
{
    (void)vcpu;
    (void)msr;
    *value = row->argument;
    return true;
}

static bool ignore_write(struct vcpu *vcpu, const struct msr_row *row, uint32_t msr, uint64_t value)
{
    (void)vcpu;
    (void)row;
    (void)msr;
    (void)value;
    return true;
}

static bool refuse_write(struct vcpu *vcpu, const struct msr_row *row, uint32_t msr, uint64_t value)
{
    (void)vcpu;
    (void)row;
    (void)msr;
    (void)value;
    return false;
}

static uint64_t *stored(struct vcpu *vcpu, const struct msr_row *row, uint32_t msr)
{
    uint8_t *base = (uint8_t *)&vcpu->msrs + row->argument;

    return (uint64_t *)base + (msr - row->first);
}

static bool read_stored(struct vcpu *vcpu, const struct msr_row *row, uint32_t msr, uint64_t *value)
{
    *value = *stored(vcpu, row, msr);
    return true;
}

static bool write_stored(struct vcpu *vcpu, const struct msr_row *row, uint32_t msr, uint64_t value)
{
    *stored(vcpu, row, msr) = value;
    return true;
}

static bool read_field(struct vcpu *vcpu, const struct msr_row *row, uint32_t msr, uint64_t *value)
{
    (void)msr;
    *value = vcpu_read_field(vcpu, row->argument);
    return true;
}

static bool write_field(struct vcpu *vcpu, const struct msr_row *row, uint32_t msr, uint64_t value)
{
    (void)msr;
    return vcpu_write_field(vcpu, row->argument, value);
}

static bool write_address_field(struct vcpu *vcpu, const struct msr_row *row, uint32_t msr,
                                uint64_t value)
{
    return is_canonical(value) && write_field(vcpu, row, msr, value);
}

static bool read_switched(struct vcpu *vcpu, const struct msr_row *row, uint32_t msr,
                          uint64_t *value)
{
    (void)row;
    *value = vcpu_read_msr(vcpu, msr);
    return true;
}

static bool write_switched(struct vcpu *vcpu, const struct msr_row *row, uint32_t msr,
                           uint64_t value)
{
    bool address = msr == VCPU_MSR_LSTAR || msr == VCPU_MSR_CSTAR || msr == VCPU_MSR_KERNEL_GS_BASE;

    (void)row;
    return (!address || is_canonical(value)) && vcpu_write_msr(vcpu, msr, value);
}

/* --- registers with a mind of their own --- */

static bool read_tsc(struct vcpu *vcpu, const struct msr_row *row, uint32_t msr, uint64_t *value)
{
    (void)row;
    (void)msr;
    *value = vcpu_guest_tsc(vcpu);
    return true;
}

/* A TSC of tsc_adjust is the moment the VM was started. */
static bool publish_time(struct vcpu *vcpu)
{
    struct vcpu_msrs *msrs = &vcpu->msrs;

    if ((msrs->system_time & PVCLOCK_ENABLE) == 0) {
        return true;
    }
    msrs->time_version += 2;
    return pvclock_write_time(&vcpu->vm->ram, gpa(msrs->system_time & ~PVCLOCK_ENABLE),
                              vcpu->vm->tsc_khz, msrs->tsc_adjust, msrs->time_version);
}

static bool write_system_time(struct vcpu *vcpu, const struct msr_row *row, uint32_t msr,
                              uint64_t value)
{
    (void)row;
    (void)msr;
    vcpu->msrs.system_time = value;
    return publish_time(vcpu);
}

static bool shift_tsc(struct vcpu *vcpu, uint64_t by)
{
    vcpu->tsc_offset += by;
    vcpu->msrs.tsc_adjust += by;
    if (!vcpu_write_field(vcpu, VMCS_TSC_OFFSET, vcpu->tsc_offset)) {
        return false;
    }
    publish_time(vcpu); /* the guest vouched for the address when it named it */
    vcpu_sync_deadline(vcpu);
    return true;
}

static bool write_tsc(struct vcpu *vcpu, const struct msr_row *row, uint32_t msr, uint64_t value)
{
    (void)row;
    (void)msr;
    return shift_tsc(vcpu, value - vcpu_guest_tsc(vcpu));
}

static bool write_tsc_adjust(struct vcpu *vcpu, const struct msr_row *row, uint32_t msr,
                             uint64_t value)
{
    (void)row;
    (void)msr;
    return shift_tsc(vcpu, value - vcpu->msrs.tsc_adjust);
}

static bool read_apic_base(struct vcpu *vcpu, const struct msr_row *row, uint32_t msr,
                           uint64_t *value)
{
    (void)row;
    (void)msr;
    *value = vcpu->lapic.base;
    return true;
}

static bool write_apic_base(struct vcpu *vcpu, const struct msr_row *row, uint32_t msr,
                            uint64_t value)
{
    (void)row;
    (void)msr;
    if (!lapic_write_base(&vcpu->lapic, value, vcpu->cpuid.phys_bits)) {
        return false;
    }
    vcpu_place_apic(vcpu);
    vcpu_sync_deadline(vcpu);
    return true;
}

static bool read_x2apic(struct vcpu *vcpu, const struct msr_row *row, uint32_t msr, uint64_t *value)
{
    (void)row;
    return lapic_is_x2apic(&vcpu->lapic) &&
           lapic_read(&vcpu->lapic, msr - MSR_X2APIC, true, vcpu_guest_tsc(vcpu), value);
}

static APART bool write_x2apic_other(struct vcpu *vcpu, unsigned number, uint64_t value)
{
    uint64_t now = number >= LAPIC_REG_LVT_TIMER ? vcpu_guest_tsc(vcpu) : 0; /* who needs it */

    return vm_lapic_outcome(vcpu, lapic_write(&vcpu->lapic, number, true, now, value));
}

static RARE bool end_level_triggered(struct vcpu *vcpu, unsigned vector)
{
    return vm_lapic_outcome(vcpu, (struct lapic_outcome){ LAPIC_EOI, vector });
}

/* After an end, and with another priority, what was kept out may be let in. */
static inline bool end_of_interrupt(struct vcpu *vcpu)
{
    int vector = lapic_end_of_interrupt(&vcpu->lapic);

    vcpu->attention |= vcpu->lapic.irr_any;
    return vector < 0 || end_level_triggered(vcpu, (unsigned)vector);
}

static inline bool write_priority(struct vcpu *vcpu, uint64_t value)
{
    vcpu->lapic.tpr = (uint32_t)value;
    vcpu->attention |= vcpu->lapic.irr_any;
    return true;
}

/* What systems do at every interrupt has a short way. */
static bool write_x2apic(struct vcpu *vcpu, const struct msr_row *row, uint32_t msr, uint64_t value)
{
    unsigned number = msr - MSR_X2APIC;

    (void)row;
    if (!lapic_is_x2apic(&vcpu->lapic)) {
        return false;
    }
    if (number == LAPIC_REG_EOI) {
        return value == 0 && end_of_interrupt(vcpu);
    }
    if (number == LAPIC_REG_TPR) {
        return value <= 0xff && write_priority(vcpu, value);
    }
    return write_x2apic_other(vcpu, number, value);
}

static bool read_tsc_deadline(struct vcpu *vcpu, const struct msr_row *row, uint32_t msr,
                              uint64_t *value)
{
    (void)row;
    (void)msr;
    *value = lapic_read_tsc_deadline(&vcpu->lapic);
    return true;
}

static bool write_tsc_deadline(struct vcpu *vcpu, const struct msr_row *row, uint32_t msr,
                               uint64_t value)
{
    (void)row;
    (void)msr;
    lapic_write_tsc_deadline(&vcpu->lapic, value);
    vcpu_sync_deadline(vcpu);
    return true;
}

static bool memory_type_valid(uint64_t type)
{
    return type < 8 && type != 2 && type != 3;
}

static bool write_pat(struct vcpu *vcpu, const struct msr_row *row, uint32_t msr, uint64_t value)
{
    (void)row;
    (void)msr;
    for (unsigned i = 0; i < 8; i++) {
        if (!memory_type_valid(value >> (8 * i) & 0xff)) {
            return false;
        }
    }
    vcpu->msrs.pat = value;
    return vcpu_write_field(vcpu, VMCS_GUEST_PAT, value);
}

/* Memory types of guest RAM are the nested tables' business: the MTRRs only remember. */
static bool write_mtrr_fixed(struct vcpu *vcpu, const struct msr_row *row, uint32_t msr,
                             uint64_t value)
{
    for (unsigned i = 0; i < 8; i++) {
        uint64_t type = value >> (8 * i) & 0xff;

        if (!memory_type_valid(type) || type == 7) {
            return false;
        }
    }
    return write_stored(vcpu, row, msr, value);
}

static bool write_mtrr_default(struct vcpu *vcpu, const struct msr_row *row, uint32_t msr,
                               uint64_t value)
{
    return (value & ~0xcffull) == 0 && memory_type_valid(value & 0xff) && (value & 0xff) != 7 &&
           write_stored(vcpu, row, msr, value);
}

static bool read_efer(struct vcpu *vcpu, const struct msr_row *row, uint32_t msr, uint64_t *value)
{
    (void)row;
    (void)msr;
    *value = vcpu_get_efer(vcpu);
    return true;
}

static bool write_efer(struct vcpu *vcpu, const struct msr_row *row, uint32_t msr, uint64_t value)
{
    uint64_t old = vcpu_get_efer(vcpu);

    (void)row;
    (void)msr;
    if ((value & ~vcpu->cpuid.efer_allowed) != 0 ||
        (vcpu_is_paged(vcpu) && ((value ^ old) & EFER_LME) != 0)) {
        return false;
    }
    return vcpu_set_efer(vcpu, (value & ~EFER_LMA) | (old & EFER_LMA));
}

static bool write_wall_clock(struct vcpu *vcpu, const struct msr_row *row, uint32_t msr,
                             uint64_t value)
{
    (void)row;
    (void)msr;
    vcpu->msrs.wall_clock = value;
    return pvclock_write_wall(&vcpu->vm->ram, gpa(value), vcpu->vm->boot_time);
}

static bool read_eoi(struct vcpu *vcpu, const struct msr_row *row, uint32_t msr, uint64_t *value)
{
    (void)row;
    (void)msr;
    *value = vcpu->paravirt.eoi_control;
    return true;
}

static bool write_eoi(struct vcpu *vcpu, const struct msr_row *row, uint32_t msr, uint64_t value)
{
    (void)row;
    (void)msr;
    return paravirt_write_eoi(vcpu, value);
}

/* --- the policy --- */

#define KEPT(field) offsetof(struct vcpu_msrs, field)
#define FIELD(name) VMCS_GUEST_##name
#define ONE(msr)    (msr), (msr)

/* Sorted by number. */
/* clang-format off */
static const struct msr_row rows[] = {
    { ONE(MSR_TSC),                 read_tsc,          write_tsc,           0 },
    { ONE(MSR_KVM_WALL_CLOCK_OLD),  read_stored,       write_wall_clock,    KEPT(wall_clock) },
    { ONE(MSR_KVM_SYSTEM_TIME_OLD), read_stored,       write_system_time,   KEPT(system_time) },
    { ONE(MSR_PLATFORM_ID),         read_constant,     refuse_write,        0 },
    { ONE(MSR_APIC_BASE),           read_apic_base,    write_apic_base,     0 },
    { ONE(MSR_FEATURE_CONTROL),     read_constant,     refuse_write,        FEATURE_LOCKED },
    { ONE(MSR_TSC_ADJUST),          read_stored,       write_tsc_adjust,    KEPT(tsc_adjust) },
    { ONE(MSR_UPDATE_SIGNATURE),    read_constant,     ignore_write,        UPDATE_SIGNATURE },
    { ONE(MSR_MTRR_CAP),            read_constant,     refuse_write,        MTRR_CAP },
    { ONE(MSR_SYSENTER_CS),         read_field,        write_field,         FIELD(SYSENTER_CS) },
    { ONE(MSR_SYSENTER_ESP),        read_field,        write_address_field, FIELD(SYSENTER_ESP) },
    { ONE(MSR_SYSENTER_EIP),        read_field,        write_address_field, FIELD(SYSENTER_EIP) },
    /* machine checks: no banks */
    { ONE(MSR_MCG_CAP),             read_constant,     refuse_write,        0 },
    { ONE(MSR_MCG_STATUS),          read_stored,       write_stored,        KEPT(mcg_status) },
    { ONE(MSR_MISC_ENABLE),         read_constant,     ignore_write,        MISC_FAST_STRINGS },
    /* no branch records: reads zero, as a processor does that has none */
    { ONE(MSR_DEBUGCTL),            read_constant,     ignore_write,        0 },
    { MSR_MTRR_VARIABLE, MSR_MTRR_VARIABLE + MSR_NR_MTRR_VARIABLE - 1,
                                    read_stored,       write_stored,        KEPT(mtrr_variable) },
    { ONE(MSR_MTRR_FIX_64K),        read_stored,       write_mtrr_fixed,    KEPT(mtrr_fixed[0]) },
    { MSR_MTRR_FIX_16K, MSR_MTRR_FIX_16K + 1,
                                    read_stored,       write_mtrr_fixed,    KEPT(mtrr_fixed[1]) },
    { MSR_MTRR_FIX_4K, MSR_MTRR_FIX_4K + 7,
                                    read_stored,       write_mtrr_fixed,    KEPT(mtrr_fixed[3]) },
    { ONE(MSR_PAT),                 read_stored,       write_pat,           KEPT(pat) },
    { ONE(MSR_MTRR_DEFAULT),        read_stored,       write_mtrr_default,  KEPT(mtrr_default) },
    { ONE(MSR_TSC_DEADLINE),        read_tsc_deadline, write_tsc_deadline,  0 },
    { MSR_X2APIC, MSR_X2APIC + 0xff, read_x2apic,       write_x2apic,        0 },
    { ONE(MSR_KVM_WALL_CLOCK),      read_stored,       write_wall_clock,    KEPT(wall_clock) },
    { ONE(MSR_KVM_SYSTEM_TIME),     read_stored,       write_system_time,   KEPT(system_time) },
    { ONE(MSR_KVM_EOI),             read_eoi,          write_eoi,           0 },
    { ONE(MSR_EFER),                read_efer,         write_efer,          0 },
    { VCPU_MSR_STAR, VCPU_MSR_SFMASK, read_switched,     write_switched,      0 },
    { ONE(MSR_FS_BASE),             read_field,        write_address_field, FIELD(FS_BASE) },
    { ONE(MSR_GS_BASE),             read_field,        write_address_field, FIELD(GS_BASE) },
    { ONE(VCPU_MSR_KERNEL_GS_BASE), read_switched,     write_switched,      0 },
    { ONE(VCPU_MSR_TSC_AUX),        read_switched,     write_switched,      0 },
    /* AMD processors of every family have these, and systems read them without asking */
    { ONE(MSR_AMD_SYSCFG),          read_constant,     ignore_write,        0 },
    { ONE(MSR_AMD_HWCR),            read_constant,     ignore_write,        HWCR_TSC_P0 },
    { ONE(MSR_AMD_NB_CFG),          read_stored,       write_stored,        KEPT(nb_cfg) },
    { ONE(MSR_AMD_INT_PENDING),     read_constant,     ignore_write,        0 },
    { ONE(MSR_AMD_DE_CFG),          read_constant,     ignore_write,        DE_CFG_LFENCE },
};
/* clang-format on */

#define NR_ROWS (sizeof(rows) / sizeof(rows[0]))

static const struct msr_row *row_search(uint32_t msr)
{
    size_t low = 0, high = NR_ROWS;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (msr < rows[middle].first) {
            high = middle;
        } else if (msr > rows[middle].last) {
            low = middle + 1;
        } else {
            return &rows[middle];
        }
    }
    return NULL;
}

static const struct msr_row **remembered_row(struct vcpu *vcpu, uint32_t msr)
{
    return &vcpu->msr_rows[(msr ^ msr >> 5) % VCPU_NR_MSR_ROWS];
}

/* No row is remembered, or one whose registers are others. */
static bool is_other_row(const struct msr_row *row, uint32_t msr)
{
    return row == NULL || msr < row->first || msr > row->last;
}

/* Searches the table and remembers what is found: a guest uses few registers again and again. */
static const struct msr_row *row_find(struct vcpu *vcpu, uint32_t msr)
{
    const struct msr_row *row = row_search(msr);

    *remembered_row(vcpu, msr) = row;
    return row;
}

void msrs_reset(struct vcpu *vcpu)
{
    struct vcpu_msrs *msrs = &vcpu->msrs;

    *msrs = (struct vcpu_msrs){
        .mtrr_default = MTRR_DEFAULT_BOOT,
        .pat = PAT_BOOT,
        .unknown_reads = msrs->unknown_reads,
        .unknown_writes = msrs->unknown_writes,
    };
    for (unsigned i = 0; i < MSR_NR_MTRR_FIXED; i++) {
        msrs->mtrr_fixed[i] = MTRR_WRITE_BACK;
    }
}

static RARE bool read_found(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    const struct msr_row *row = row_find(vcpu, msr);

    return row != NULL && row->read(vcpu, row, msr, value);
}

bool msr_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    const struct msr_row *row = *remembered_row(vcpu, msr);

    if (is_other_row(row, msr)) {
        return read_found(vcpu, msr, value);
    }
    return row->read(vcpu, row, msr, value);
}

static RARE bool write_found(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    const struct msr_row *row = row_find(vcpu, msr);

    return row != NULL && row->write(vcpu, row, msr, value);
}

bool msr_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    const struct msr_row *row = *remembered_row(vcpu, msr);

    if (is_other_row(row, msr)) {
        return write_found(vcpu, msr, value);
    }
    return row->write(vcpu, row, msr, value);
}
