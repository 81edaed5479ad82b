/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bulkhead/sata.h"

#include <stdio.h>
#include <string.h>

#include "user/libserver/console.h"
#include "user/libserver/disk.h"
#include "user/libserver/sata.h"
#include "user/vmm/config.h"

/* PCI Code and ID Assignment Specification: mass storage, SATA, AHCI 1.0 */
#define AHCI_CLASS  0x010601u
#define AHCI_BAR    5u /* AHCI 1.3.1, 2.1.11 */
#define SATA_VECTOR 24u

/*
 * Above every VM, so that none can keep the others from their disks; at most half of core 0. The
 * clock's period is how often the driver wants to be told the time.
 */
static const struct server_time sata_time = {
    .core = 0, .priority = 254, .budget_us = 2500, .period_us = 5000
};
static const struct server_time clock_time = {
    .core = 0, .priority = 254, .budget_us = 100, .period_us = 10000
};
#define CLOCK_THREAD 1u

static void give_controller(struct server *server)
{
    struct builder *builder = server->builder;
    uint32_t device = builder_device(builder,
                                     (struct plan_device){
                                         .owner = server->owner,
                                         .class_code = AHCI_CLASS,
                                         .bar = AHCI_BAR,
                                         .count = SATA_REGISTER_PAGES,
                                     },
                                     "ahci");
    uint32_t irq = builder_irq(builder,
                               (struct plan_irq){
                                   .owner = server->owner,
                                   .kind = PLAN_IRQ_MESSAGE,
                                   .device = device,
                                   .vector = SATA_VECTOR,
                               },
                               "ahci-irq");

    builder_bind(builder, irq,
                 builder_copy(builder, server->notification, RIGHT_READ | RIGHT_WRITE,
                              SERVER_BADGE_INTERRUPT));
    builder_cap(builder, server->cnode, SATA_SLOT_IRQ, irq, RIGHTS_ALL, 0);
    builder_map(builder, server->vspace, device, SATA_REGISTERS_VADDR, RIGHT_READ | RIGHT_WRITE,
                seL4_X86_Uncacheable | PLAN_ATTRIBUTE_EXECUTE_NEVER);
    builder_fill_device(builder, server->config_frame, offsetof(struct sata_config, device_state),
                        device);
}

static void give_memory(struct server *server)
{
    struct builder *builder = server->builder;
    uint32_t frames = server_object(server, "dma", seL4_X86_LargePageObject, 0, SATA_DMA_FRAMES);

    builder_map(builder, server->vspace, frames, SATA_DMA_VADDR, RIGHT_READ | RIGHT_WRITE,
                page_attributes(false));
    builder_fill_addresses(builder, server->config_frame,
                           offsetof(struct sata_config, dma_addresses), frames);
}

static void give_clock(struct server *server)
{
    uint32_t notification =
        server_object(server, "notification-clock", seL4_NotificationObject, 0, 1);

    builder_cap(server->builder, server->cnode, SATA_SLOT_CLOCK, notification,
                RIGHT_READ | RIGHT_WRITE, 0);
    builder_cap(server->builder, server->cnode, SATA_SLOT_SELF, server->notification, RIGHT_WRITE,
                SATA_BADGE_CLOCK);
}

/* Where the VM's RAM is, for the server to read. Returns the end of the mapping. */
static uint64_t tell_addresses(struct server *server, const struct sata_vm *vm, unsigned memory)
{
    struct builder *builder = server->builder;
    uint64_t address = SATA_ADDRESSES_VADDR + memory * SATA_ADDRESSES_SPAN;
    uint64_t low = builder_count(builder, vm->ram_low);
    uint64_t high = vm->ram_high == 0 ? 0 : builder_count(builder, vm->ram_high);
    uint64_t pages = ((low + high) * sizeof(uint64_t) + PLAN_PAGE_BYTES - 1) / PLAN_PAGE_BYTES;
    uint32_t frames = server_object(
        server, arena_format(builder->arena, "addresses-%s", vm->end.name), seL4_X86_4K, 0, pages);

    builder_fill_addresses(builder, frames, 0, vm->ram_low);
    if (vm->ram_high != 0) {
        builder_fill_addresses(builder, frames, low * sizeof(uint64_t), vm->ram_high);
    }
    builder_map(builder, server->vspace, frames, address, RIGHT_READ, page_attributes(false));
    return address + pages * PLAN_PAGE_BYTES;
}

/* --- configuration --- */

static void describe_memory(const struct builder *builder, const struct sata_vm *vm,
                            struct sata_memory_config *memory)
{
    memory->ranges[0].nr_frames = builder_count(builder, vm->ram_low);
    memory->ranges[1].client = vm->high_address;
    memory->ranges[1].nr_frames = vm->ram_high == 0 ? 0 : builder_count(builder, vm->ram_high);
}

static const char *selection(const struct model_disk *disk, uint32_t *select)
{
    if (disk->partuuid.text != NULL) {
        *select = SATA_SELECT_UUID;
        return disk->partuuid.text;
    }
    *select = disk->partlabel.text != NULL ? SATA_SELECT_LABEL : SATA_SELECT_SERIAL;
    return disk->partlabel.text != NULL ? disk->partlabel.text : disk->serial.text;
}

/* "one/vda": the VM, and what its kernel calls the disk. The checks have seen to it that all fits.
 */
static void describe_disk(const struct sata_vm *vm, size_t number, uint32_t memory,
                          struct sata_client_config *client)
{
    const struct model_disk *disk = &vm->vm->disks[number];
    const char *text = selection(disk, &client->select);

    snprintf(client->name, sizeof(client->name), "%.*s/vd%c", SERVER_NAME_BYTES - 5, vm->end.name,
             (char)('a' + number));
    memcpy(client->text, text, strlen(text));
    client->number = (uint32_t)disk->number.value;
    client->flags = disk->access.value == MODEL_READ_ONLY ? SATA_CLIENT_READ_ONLY : 0;
    client->memory = memory;
    client->bandwidth = disk->bandwidth.value;
    client->iops = disk->iops.value;
}

static void add_disk(struct server *server, const struct sata_vm *vm, unsigned number)
{
    struct server_client end = vm->end;

    end.name = arena_format(server->builder->arena, "%s-disk-%u", vm->end.name, number);
    end.address += number * VMM_DISK_SPAN;
    end.slot += number;
    end.badge <<= number;
    server_add_client(server, &end, DISK_CHANNEL_PAGES);
}

static void serve_vms(struct server *server, const struct sata_vm *vms, size_t nr_vms, uint32_t log)
{
    struct sata_config config = {
        .magic = SATA_CONFIG_MAGIC,
        .version = SATA_CONFIG_VERSION,
        .log = log,
        .nr_memories = (uint32_t)nr_vms,
    };

    for (unsigned i = 0; i < nr_vms; i++) {
        describe_memory(server->builder, &vms[i], &config.memories[i]);
        for (unsigned disk = 0; disk < vms[i].vm->nr_disks; disk++) {
            describe_disk(&vms[i], disk, i, &config.clients[config.nr_clients++]);
            add_disk(server, &vms[i], disk);
        }
    }
    builder_fill(server->builder, server->config_frame, &config, sizeof(config));
    builder_fill_tsc_mhz(server->builder, server->config_frame,
                         offsetof(struct sata_config, tsc_mhz));
}

struct server_client compile_sata(struct supervisor *supervisor, const struct program *program,
                                  const struct sata_vm *vms, size_t nr_vms)
{
    struct server server;

    server_begin(&server, supervisor->server.builder, SATA_NAME, PLAN_COMPONENT_SERVER,
                 SERVER_CNODE_RADIX);
    server_add_range(&server, SATA_CONSOLE_VADDR,
                     SATA_CONSOLE_VADDR + sizeof(struct console_channel), seL4_PageBits);
    server_add_range(&server, SATA_REGISTERS_VADDR,
                     SATA_REGISTERS_VADDR + SATA_REGISTER_PAGES * PLAN_PAGE_BYTES, seL4_PageBits);
    server_add_range(&server, SATA_DMA_VADDR, SATA_DMA_VADDR + SATA_DMA_FRAMES * SATA_FRAME_BYTES,
                     seL4_LargePageBits);
    serve_vms(&server, vms, nr_vms, supervisor->config.log);
    for (unsigned i = 0; i < nr_vms; i++) {
        uint64_t end = tell_addresses(&server, &vms[i], i);

        server_add_range(&server, SATA_ADDRESSES_VADDR + i * SATA_ADDRESSES_SPAN, end,
                         seL4_PageBits);
    }
    give_controller(&server);
    give_memory(&server);
    give_clock(&server);
    supervisor_add_server(supervisor, SUPERVISOR_SATA, &server);
    server_finish(&server, supervisor->endpoint, program, &sata_time);
    server_add_thread(&server, supervisor->endpoint, program, CLOCK_THREAD, &clock_time);
    return server_as_client(&server, SATA_CONSOLE_VADDR, SATA_SLOT_CONSOLE, SATA_BADGE_CONSOLE);
}
