/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/vmm/emulate.h"

#include "lib/string.h"
#include "user/vmm/guest_walk.h"
#include "user/vmm/insn_exec.h"

#define PAGE 4096u

/* --- fetch and decode --- */

static enum insn_mode mode_of(const struct vcpu_message *message)
{
    if (message_is_64_bit(message) || x86_is_64_bit(message->efer, message->cs_rights)) {
        return INSN_MODE_64;
    }
    return (message->cs_rights & SEGMENT_BIG) != 0 && (message->rflags & RFLAGS_VM) == 0
               ? INSN_MODE_32
               : INSN_MODE_16;
}

static void paging_of(const struct vcpu_message *message, struct guest_paging *paging)
{
    paging->cr0 = message->cr0;
    paging->cr3 = message->cr3;
    paging->cr4 = message->cr4;
    paging->efer = message->efer;
    paging->rflags = message->rflags;
    paging->user = (message->cr0 & CR0_PE) != 0 &&
                   (SEGMENT_DPL(message->cs_rights) == 3 || (message->rflags & RFLAGS_VM) != 0);
}

/* For the instruction at rip only: whether it may be executed has been found out. */
static void code_paging_of(const struct vcpu_message *message, struct guest_paging *paging)
{
    if (message_is_64_bit(message)) {
        *paging = (struct guest_paging){ .cr0 = CR0_PG | CR0_PE,
                                         .cr3 = message->cr3,
                                         .efer = EFER_LMA | EFER_NXE };
    } else {
        paging_of(message, paging);
    }
}

/* Copies what can be read of the instruction at linear address `at`; returns how many bytes. */
static unsigned fetch(struct vcpu *vcpu, const struct guest_paging *paging, uint64_t at,
                      uint8_t bytes[16])
{
    unsigned done = 0;

    while (done < INSN_MAX_BYTES) {
        unsigned piece = PAGE - (unsigned)((at + done) % PAGE);
        uint32_t error_code;
        const void *source;
        gpa_t address;

        if (piece > INSN_MAX_BYTES - done) {
            piece = INSN_MAX_BYTES - done;
        }
        if (guest_walk(&vcpu->vm->ram, paging, gva(at + done), WALK_FETCH, &address, &error_code) !=
            WALK_OK) {
            break;
        }
        source = guest_ram_at(&vcpu->vm->ram, address, piece);
        if (source == NULL) {
            break;
        }
        memcpy(bytes + done, source, piece);
        done += piece;
    }
    return done;
}

static struct decode_cache *cache_of(struct vcpu *vcpu)
{
    return &vcpu->decodes[vcpu->message->rip / 2 % VCPU_NR_DECODES];
}

/* Of instructions that are not 64-bit code for certain. */
static bool same_modes(const struct decode_cache *cache, const struct vcpu_message *message)
{
    return cache->cs_rights == message->cs_rights && cache->cr0 == message->cr0 &&
           cache->cr4 == message->cr4 && cache->efer == message->efer;
}

static bool cache_holds(const struct decode_cache *cache, const struct vcpu_message *message)
{
    return cache->code != NULL && cache->rip == message->rip && cache->cr3 == message->cr3 &&
           (message_is_64_bit(message) || same_modes(cache, message)) &&
           cache->code[0].value == cache->words[0] && cache->code[1].value == cache->words[1] &&
           walk_trace_holds(&cache->trace);
}

/* Remembers insn if it lies in one page; its bytes are compared by words of eight. */
static void cache_fill(struct vcpu *vcpu, const struct guest_paging *paging, uint64_t at,
                       const struct insn *insn)
{
    struct decode_cache *cache = cache_of(vcpu);
    const struct vcpu_message *message = vcpu->message;
    uint32_t error_code;
    gpa_t address;

    cache->insn = *insn;
    cache->code = NULL;
    if (at % PAGE > PAGE - 16 ||
        guest_walk_traced(&vcpu->vm->ram, paging, gva(at), WALK_FETCH, &address, &error_code,
                          &cache->trace) != WALK_OK) {
        return;
    }
    cache->code = guest_ram_at(&vcpu->vm->ram, address, 16);
    if (cache->code == NULL) {
        return;
    }
    cache->words[0] = cache->code[0].value;
    cache->words[1] = cache->code[1].value;
    cache->rip = message->rip;
    cache->cr0 = message->cr0;
    cache->cr3 = message->cr3;
    cache->cr4 = message->cr4;
    cache->efer = message->efer;
    cache->cs_rights = message->cs_rights;
}

static const struct insn *decode_anew(struct vcpu *vcpu)
{
    struct vcpu_message *message = vcpu->message;
    enum insn_mode mode = mode_of(message);
    uint64_t base = mode == INSN_MODE_64 ? 0 : vcpu_read_field(vcpu, VMCS_GUEST_CS_BASE);
    struct guest_paging paging;
    uint8_t bytes[16];
    struct insn insn;
    unsigned nr;

    code_paging_of(message, &paging);
    nr = fetch(vcpu, &paging, base + message->rip, bytes);
    if (insn_decode(bytes, nr, mode, &insn) != INSN_DECODED) {
        return NULL;
    }
    cache_fill(vcpu, &paging, base + message->rip, &insn);
    if (base != 0) {
        cache_of(vcpu)->code = NULL; /* the base is not among the things compared */
    }
    message->length = insn.length;
    return &cache_of(vcpu)->insn;
}

/* The decoded instruction at rip, or null; sets the message's length. */
static inline const struct insn *decode(struct vcpu *vcpu)
{
    const struct decode_cache *cache = cache_of(vcpu);

    if (!cache_holds(cache, vcpu->message)) {
        return decode_anew(vcpu);
    }
    vcpu->message->length = cache->insn.length;
    return &cache->insn;
}

void emulate_read_modes(struct vcpu *vcpu)
{
    struct vcpu_message *message = vcpu->message;

    message->cr0 = vcpu_read_field(vcpu, VMCS_GUEST_CR0);
    message->cr4 = vcpu_read_field(vcpu, VMCS_GUEST_CR4);
    message->efer = vcpu_read_field(vcpu, VMCS_GUEST_EFER);
    message->cs_rights = vcpu_read_field(vcpu, VMCS_GUEST_CS_ACCESS_RIGHTS);
}

bool emulate_decode(struct vcpu *vcpu, struct insn *insn)
{
    const struct insn *decoded = decode(vcpu);

    if (decoded == NULL) {
        return false;
    }
    *insn = *decoded;
    return true;
}

/* --- memory operands of string instructions --- */

enum access_result {
    ACCESS_DONE,
    ACCESS_FAULTED, /* the page fault is queued */
    ACCESS_NOWHERE,
};

static void device_access(struct vcpu *vcpu, const struct mmio_device *device, gpa_t address,
                          uint8_t *bytes, unsigned size, bool write)
{
    uint64_t value = 0;

    if (write) {
        memcpy(&value, bytes, size);
        mmio_write(vcpu, device, address, size, value);
    } else {
        value = mmio_read(vcpu, device, address, size);
        memcpy(bytes, &value, size);
    }
}

/* Reads or writes size (at most 8) bytes at a linear address, in RAM or in device registers. */
static enum access_result linear_access(struct vcpu *vcpu, const struct guest_paging *paging,
                                        uint64_t at, uint8_t *bytes, unsigned size, bool write)
{
    while (size != 0) {
        unsigned piece = PAGE - (unsigned)(at % PAGE);
        const struct mmio_device *device;
        uint32_t error_code;
        enum walk_result walked;
        gpa_t address;
        void *ram;

        if (piece > size) {
            piece = size;
        }
        walked = guest_walk(&vcpu->vm->ram, paging, gva(at), write ? WALK_WRITE : WALK_READ,
                            &address, &error_code);
        if (walked == WALK_FAULT) {
            vcpu_raise_page_fault(vcpu, at, error_code);
            return ACCESS_FAULTED;
        }
        if (walked != WALK_OK) {
            return ACCESS_NOWHERE;
        }
        ram = guest_ram_at(&vcpu->vm->ram, address, piece);
        device = mmio_find(vcpu, address);
        if (device != NULL) {
            device_access(vcpu, device, address, bytes, piece, write);
        } else if (ram != NULL) {
            memcpy(write ? ram : bytes, write ? (const void *)bytes : ram, piece);
        } else {
            return ACCESS_NOWHERE;
        }
        at += piece;
        bytes += piece;
        size -= piece;
    }
    return ACCESS_DONE;
}

static uint64_t address_mask(const struct insn *insn)
{
    return insn->address_bytes >= 8 ? ~0ull : (1ull << (8 * insn->address_bytes)) - 1;
}

static uint64_t segment_base(struct vcpu *vcpu, enum insn_mode mode, enum insn_segment segment)
{
    if (mode == INSN_MODE_64 && segment != INSN_FS && segment != INSN_GS) {
        return 0;
    }
    return vcpu_read_field(vcpu, VMCS_GUEST_BASE(segment));
}

/*
 * The state of a string instruction between rounds. Segment limits are not checked: a guest that
 * separates its own parts by segments instead of pages is protected from us by nothing here.
 */
struct string {
    const struct insn *insn;
    struct guest_paging paging;
    uint64_t mask; /* of address and count registers */
    uint64_t step; /* +size or -size */
    uint64_t source_base, destination_base;
    uint64_t source_offset, destination_offset;
    uint64_t count;
    uint64_t linear_mask;
};

static void string_begin(struct vcpu *vcpu, const struct insn *insn, struct string *string)
{
    struct vcpu_message *message = vcpu->message;
    enum insn_mode mode = mode_of(message);

    if (message->reason == VMX_EXIT_EPT_VIOLATION && message_is_64_bit(message)) {
        emulate_read_modes(vcpu);
    }
    paging_of(message, &string->paging);
    string->insn = insn;
    string->mask = address_mask(insn);
    string->linear_mask = mode == INSN_MODE_64 ? ~0ull : 0xffffffffu;
    string->step =
        (message->rflags & RFLAGS_DF) != 0 ? -(uint64_t)insn->memory_bytes : insn->memory_bytes;
    string->source_base = segment_base(vcpu, mode, insn->segment);
    string->destination_base = segment_base(vcpu, mode, INSN_ES);
    string->source_offset = message->gpr[MESSAGE_RSI] & string->mask;
    string->destination_offset = message->gpr[MESSAGE_RDI] & string->mask;
    string->count = insn->repeat ? message->gpr[MESSAGE_RCX] & string->mask : 1;
}

static uint64_t source_address(const struct string *string)
{
    return (string->source_base + string->source_offset) & string->linear_mask;
}

static uint64_t destination_address(const struct string *string)
{
    return (string->destination_base + string->destination_offset) & string->linear_mask;
}

static bool uses_source(const struct insn *insn)
{
    return insn->op == INSN_MOVS || insn->op == INSN_OUTS;
}

static void string_advance(struct string *string)
{
    if (uses_source(string->insn)) {
        string->source_offset = (string->source_offset + string->step) & string->mask;
    }
    if (string->insn->op != INSN_OUTS) {
        string->destination_offset = (string->destination_offset + string->step) & string->mask;
    }
    string->count--;
}

static void write_back(uint64_t *reg, uint64_t value, const struct insn *insn)
{
    *reg = insn_merge_register(*reg, value, insn->address_bytes, false);
}

/* Registers show the rounds done; the instruction is over when none is left. */
static void string_end(struct vcpu *vcpu, const struct string *string)
{
    struct vcpu_message *message = vcpu->message;

    if (uses_source(string->insn)) {
        write_back(&message->gpr[MESSAGE_RSI], string->source_offset, string->insn);
    }
    if (string->insn->op != INSN_OUTS) {
        write_back(&message->gpr[MESSAGE_RDI], string->destination_offset, string->insn);
    }
    if (string->insn->repeat) {
        write_back(&message->gpr[MESSAGE_RCX], string->count, string->insn);
    }
    if (string->count == 0) {
        vcpu_done(vcpu);
    }
}

static enum access_result string_round(struct vcpu *vcpu, const struct string *string,
                                       uint16_t port)
{
    const struct insn *insn = string->insn;
    unsigned size = insn->memory_bytes;
    uint8_t bytes[8] = { 0 };
    enum access_result result = ACCESS_DONE;
    uint32_t value = 0;

    switch (insn->op) {
    case INSN_STOS:
        memcpy(bytes, &vcpu->message->gpr[MESSAGE_RAX], size);
        break;
    case INSN_INS:
        value = port_read(vcpu, port, size);
        memcpy(bytes, &value, size);
        break;
    default:
        result = linear_access(vcpu, &string->paging, source_address(string), bytes, size, false);
        break;
    }
    if (result != ACCESS_DONE) {
        return result;
    }
    if (insn->op == INSN_OUTS) {
        memcpy(&value, bytes, size);
        port_write(vcpu, port, size, value);
        return ACCESS_DONE;
    }
    return linear_access(vcpu, &string->paging, destination_address(string), bytes, size, true);
}

/* INS must not take a byte from a device that it then cannot store. */
static bool destination_ready(struct vcpu *vcpu, const struct string *string)
{
    uint64_t at = destination_address(string);
    uint64_t last = (at + string->insn->memory_bytes - 1) & string->linear_mask;
    uint32_t error_code;
    gpa_t address;

    for (unsigned i = 0; i < 2; i++, at = last) {
        if (guest_walk(&vcpu->vm->ram, &string->paging, gva(at), WALK_WRITE, &address,
                       &error_code) == WALK_FAULT) {
            vcpu_raise_page_fault(vcpu, at, error_code);
            return false;
        }
    }
    return true;
}

static enum vcpu_stop emulate_string(struct vcpu *vcpu, const struct insn *insn, uint16_t port)
{
    struct string string;
    enum access_result result = ACCESS_DONE;

    string_begin(vcpu, insn, &string);
    for (unsigned i = 0; i < EMULATE_MAX_REPEATS && string.count != 0; i++) {
        if (insn->op == INSN_INS && !destination_ready(vcpu, &string)) {
            break;
        }
        result = string_round(vcpu, &string, port);
        if (result != ACCESS_DONE || vm_is_stopping(vcpu->vm)) {
            break;
        }
        string_advance(&string);
    }
    if (result == ACCESS_NOWHERE) {
        return vm_crash(vcpu, VMM_CAUSE_EMULATE, vcpu->message->gpa,
                        "string instruction on memory that is not there");
    }
    string_end(vcpu, &string);
    return vm_is_stopping(vcpu->vm) ? VCPU_STOPS : VCPU_RUNS;
}

enum vcpu_stop emulate_string_io(struct vcpu *vcpu, uint16_t port)
{
    struct insn insn;

    if (!emulate_decode(vcpu, &insn)) {
        return vm_crash(vcpu, VMM_CAUSE_EMULATE, port, "undecodable string I/O");
    }
    if (insn.op != INSN_INS && insn.op != INSN_OUTS) {
        return VCPU_RUNS; /* the code has changed since it was executed: try again */
    }
    return emulate_string(vcpu, &insn, port);
}

/* --- device registers --- */

/* Anything but a plain load or store. */
static void execute(struct vcpu *vcpu, const struct mmio_device *device, gpa_t address,
                    const struct insn *insn)
{
    struct vcpu_message *message = vcpu->message;
    struct insn_result result;
    uint64_t memory = 0, reg = 0;

    if (insn_reads_memory(insn)) {
        memory = mmio_read(vcpu, device, address, insn->memory_bytes);
    }
    if (insn->form != INSN_MEM_IMM) {
        reg = vcpu_get_register(vcpu, insn->reg);
    }
    insn_execute(insn, memory, reg, message->rflags, &result);
    if (result.memory_written) {
        mmio_write(vcpu, device, address, insn->memory_bytes, result.memory);
    }
    if (result.reg_written) {
        vcpu_set_register(vcpu, insn->reg, result.reg);
    }
    if (result.flags_written) {
        vcpu_write_field(vcpu, VMCS_GUEST_RFLAGS, result.rflags);
        message->rflags = result.rflags;
    }
}

/* What nearly all accesses are: MOV of 32 bits between a register and memory. */
static bool execute_plain_move(struct vcpu *vcpu, const struct mmio_device *device, gpa_t address,
                               const struct insn *insn)
{
    if (insn->op != INSN_MOV || insn->memory_bytes != 4 || insn->reg == VCPU_RSP) {
        return false;
    }
    if (insn->form == INSN_REG_MEM) {
        *vcpu_gpr(vcpu, insn->reg) = (uint32_t)mmio_read(vcpu, device, address, 4);
    } else {
        uint64_t value =
            insn->form == INSN_MEM_IMM ? (uint64_t)insn->immediate : *vcpu_gpr(vcpu, insn->reg);

        mmio_write(vcpu, device, address, 4, (uint32_t)value);
    }
    return true;
}

enum vcpu_stop emulate_mmio(struct vcpu *vcpu, const struct mmio_device *device)
{
    struct vcpu_message *message = vcpu->message;
    gpa_t address = gpa(message->gpa);
    const struct insn *insn = decode(vcpu);

    if (insn == NULL || insn->form == INSN_CONTROL) {
        return vm_crash(vcpu, VMM_CAUSE_EMULATE, message->gpa,
                        "instruction on device registers that is not emulated");
    }
    if (insn->form == INSN_STRING) {
        return emulate_string(vcpu, insn, 0);
    }
    if (!execute_plain_move(vcpu, device, address, insn)) {
        execute(vcpu, device, address, insn);
    }
    vcpu_done(vcpu);
    return vm_is_stopping(vcpu->vm) ? VCPU_STOPS : VCPU_RUNS;
}
