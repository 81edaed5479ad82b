/* SPDX-License-Identifier: BSD-2-Clause */
/* The controller as a whole: hand-off, reset, ports in turn, interrupts. */
#include "lib/bits.h"
#include "lib/string.h"
#include "user/sataserver/port_priv.h"

#define ADDRESS_32_END  (1ull << 32)
#define INTERRUPT_LOOKS 8u
#define RESET_LOOKS     100000u

static void enter(struct hba *hba, enum hba_state state, uint64_t microseconds)
{
    hba->state = state;
    hba->deadline = hba->now + microseconds;
}

static void refuse(struct hba *hba, const char *reason)
{
    hba->failure = reason;
    hba->state = HBA_FAILED;
}

static bool was_opened(const struct port *port)
{
    return port->state != PORT_UNUSED;
}

void hba_give_up(struct hba *hba, const char *reason)
{
    hba_write(hba, HBA_GHC, HBA_GHC_AE | HBA_GHC_HR);
    for (unsigned look = 0; look < RESET_LOOKS; look++) {
        if ((hba_read(hba, HBA_GHC) & HBA_GHC_HR) == 0) {
            break;
        }
    }
    refuse(hba, reason);
    for (unsigned i = 0; i < AHCI_NR_PORTS; i++) {
        struct port *port = &hba->ports[i];

        if (was_opened(port) && port->state != PORT_ABSENT && port->state != PORT_FOREIGN &&
            port->state != PORT_FAILED) {
            port_abandon(port, reason);
        }
    }
}

/* --- reset: AHCI 10.4.3, 10.6 --- */

static void begin_reset(struct hba *hba)
{
    hba_write(hba, HBA_GHC, HBA_GHC_AE);
    hba_write(hba, HBA_GHC, HBA_GHC_AE | HBA_GHC_HR);
    enter(hba, HBA_RESETTING, HBA_RESET_US);
}

void hba_start(struct hba *hba, uint64_t now)
{
    hba->now = now;
    if ((hba_read(hba, HBA_CAP2) & HBA_CAP2_BOH) == 0) {
        begin_reset(hba);
        return;
    }
    hba_write(hba, HBA_BOHC, hba_read(hba, HBA_BOHC) | HBA_BOHC_OOS);
    enter(hba, HBA_HANDOFF, HANDOFF_US);
}

/* Firmware that does not let go in time has lost its right. */
static void step_handoff(struct hba *hba)
{
    if ((hba_read(hba, HBA_BOHC) & HBA_BOHC_BOS) == 0 || hba->now >= hba->deadline) {
        begin_reset(hba);
    }
}

/* --- ports --- */

static void open_port(struct port *port)
{
    uint64_t list = port->memory_address + PORT_MEMORY_LIST;
    uint64_t fis = port->memory_address + PORT_MEMORY_FIS;
    uint32_t command = port_read(port, PORT_CMD) & ~(PORT_CMD_ICC_MASK | PORT_CMD_ST);

    port_write(port, PORT_CLB, (uint32_t)list);
    port_write(port, PORT_CLBU, (uint32_t)(list >> 32));
    port_write(port, PORT_FB, (uint32_t)fis);
    port_write(port, PORT_FBU, (uint32_t)(fis >> 32));
    port_write(port, PORT_SERR, 0xffffffff);
    port_write(port, PORT_IS, 0xffffffff);
    port_write(port, PORT_IE, PORT_INT_ALL);
    port_write(port, PORT_CMD,
               command | PORT_CMD_FRE | PORT_CMD_SUD | PORT_CMD_POD | PORT_CMD_ICC_ACTIVE);
    port->turn = port->hba->now + TURN_US;
    port_begin_reset(port);
}

/* Memory for the implemented ports, as far as it goes. */
static void share_memory(struct hba *hba)
{
    uint64_t used = 0;

    for (unsigned i = 0; i < AHCI_NR_PORTS; i++) {
        struct port *port = &hba->ports[i];

        port->hba = hba;
        port->index = i;
        if ((hba->implemented >> i & 1) != 0 &&
            range_fits(used, PORT_MEMORY_BYTES, hba->memory.bytes)) {
            port->memory = hba->memory.base + used;
            port->memory_address = hba->memory.address + used;
            memset(port->memory, 0, PORT_MEMORY_BYTES);
            used += PORT_MEMORY_BYTES;
        }
    }
}

static bool is_coming_up(const struct port *port)
{
    return !port->known && (port->state == PORT_RESETTING || port->state == PORT_LINKING ||
                            port->state == PORT_SPINNING || port->state == PORT_IDENTIFYING ||
                            port->state == PORT_STOPPING);
}

/*
 * With staggered spin-up one drive at a time, for the sake of the power supply; one that takes too
 * long does not hold up the others.
 */
static void open_ports(struct hba *hba)
{
    for (unsigned i = 0; i < AHCI_NR_PORTS; i++) {
        struct port *port = &hba->ports[i];

        if (port->memory != NULL && port->state == PORT_UNUSED) {
            open_port(port);
        }
        if (hba->staggered && is_coming_up(port) && hba->now < port->turn) {
            return;
        }
    }
}

/* The implemented ports whose registers can be reached. */
static uint32_t find_ports(const struct hba *hba)
{
    uint32_t ports = 0;

    for (unsigned i = 0; i < AHCI_NR_PORTS; i++) {
        if (HBA_PORT_BASE + (i + 1) * HBA_PORT_STRIDE <= hba->register_bytes) {
            ports |= 1u << i;
        }
    }
    return ports & hba_read(hba, HBA_PI);
}

static void step_resetting(struct hba *hba)
{
    uint32_t capabilities;

    if ((hba_read(hba, HBA_GHC) & HBA_GHC_HR) != 0) {
        if (hba->now >= hba->deadline) {
            refuse(hba, "the controller does not reset");
        }
        return;
    }
    hba_write(hba, HBA_GHC, HBA_GHC_AE);
    capabilities = hba_read(hba, HBA_CAP);
    hba->nr_slots = HBA_CAP_NCS(capabilities);
    hba->can_queue = (capabilities & HBA_CAP_SNCQ) != 0;
    hba->address64 = (capabilities & HBA_CAP_S64A) != 0;
    hba->staggered = (capabilities & HBA_CAP_SSS) != 0;
    hba->implemented = find_ports(hba);
    if (!hba->address64 && hba->memory.address + hba->memory.bytes > ADDRESS_32_END) {
        refuse(hba, "the controller cannot reach its memory above 4 GiB");
        return;
    }
    hba->state = HBA_RUNNING;
    share_memory(hba);
    open_ports(hba);
    hba_write(hba, HBA_IS, 0xffffffff);
    hba_write(hba, HBA_GHC, HBA_GHC_AE | HBA_GHC_IE);
}

/* --- time and interrupts --- */

void hba_tick(struct hba *hba, uint64_t now)
{
    hba->now = now;
    if (hba->state == HBA_HANDOFF) {
        step_handoff(hba);
    } else if (hba->state == HBA_RESETTING) {
        step_resetting(hba);
    }
    for (unsigned i = 0; hba->state == HBA_RUNNING && i < AHCI_NR_PORTS; i++) {
        port_step(&hba->ports[i]);
    }
    if (hba->state == HBA_RUNNING) {
        open_ports(hba);
    }
}

static void look_at_port(struct port *port)
{
    uint32_t causes = port_read(port, PORT_IS);

    if ((causes & PORT_INT_LINK) != 0) { /* they are only mirrors of PxSERR */
        port_write(port, PORT_SERR, 0xffffffff);
    }
    port_write(port, PORT_IS, causes);
    port_handle_interrupt(port, causes);
}

/*
 * AHCI 5.6.2: a port's causes first, then the controller's. A controller that always has another
 * one is left to the ticks.
 */
void hba_interrupt(struct hba *hba, uint64_t now)
{
    hba->now = now;
    for (unsigned look = 0; look < INTERRUPT_LOOKS && hba->state == HBA_RUNNING; look++) {
        uint32_t ports = hba_read(hba, HBA_IS) & hba->implemented;

        if (ports == 0) {
            return;
        }
        for (uint32_t left = ports; left != 0 && hba->state == HBA_RUNNING; left &= left - 1) {
            look_at_port(&hba->ports[bits_lowest(left)]);
        }
        hba_write(hba, HBA_IS, ports);
    }
}

bool hba_is_busy(const struct hba *hba)
{
    if (hba->state != HBA_RUNNING) {
        return hba->state != HBA_OFF && hba->state != HBA_FAILED;
    }
    for (unsigned i = 0; i < AHCI_NR_PORTS; i++) {
        const struct port *port = &hba->ports[i];

        if (port->issued != 0 || (port->state >= PORT_RESETTING && port->state < PORT_READY) ||
            port->state == PORT_STOPPING || port->state == PORT_LOGGING) {
            return true;
        }
    }
    return false;
}

bool hba_is_settled(const struct hba *hba)
{
    if (hba->state != HBA_RUNNING) {
        return hba->state == HBA_FAILED;
    }
    for (unsigned i = 0; i < AHCI_NR_PORTS; i++) {
        const struct port *port = &hba->ports[i];

        if (port->memory != NULL && (port->state == PORT_UNUSED || is_coming_up(port))) {
            return false;
        }
    }
    return true;
}
