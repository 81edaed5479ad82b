/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The supervisor: hears how virtual machines end, starts and stops them (life.h). All that speaks
 * to the kernel is here.
 *
 * Time       While a VM waits to be started again it looks at the clock once in each of its
 *            periods (tools/bulkhead/supervisor.c); else it sleeps until something comes.
 */
#include <sel4/sel4.h>

#include "abi/plan.h"
#include "lib/format.h"
#include "lib/string.h"
#include "user/libserver/console.h"
#include "user/libserver/serve.h"
#include "user/start/start.h"
#include "user/supervisor/life.h"
#include "user/vmm/config.h"

#define RFLAGS_INTERRUPTS 0x202u
/* Periods that the last lines are given to leave the serial port. */
#define LEAVE_ROUNDS 500u

static const struct supervisor_config *const config =
    (const struct supervisor_config *)SERVER_CONFIG_VADDR;
static struct lives lives;
static struct ring console;
static bool server_stopped[SUPERVISOR_MAX_SERVERS];
static uint32_t commands_seen[SUPERVISOR_MAX_VMS];
static uint32_t resets_wanted[SUPERVISOR_MAX_SERVERS][SERVER_MAX_CLIENTS];

static struct control_channel *control_of(unsigned server)
{
    return (struct control_channel *)(SUPERVISOR_CONTROL_VADDR + server * SUPERVISOR_CONTROL_SPAN);
}

static uint64_t microseconds(void)
{
    return time_stamp() / config->tsc_mhz;
}

/* --- what life.h asks for --- */

static seL4_CPtr thread_of(unsigned vm, unsigned thread)
{
    return SUPERVISOR_SLOT_TCB + vm * SUPERVISOR_MAX_THREADS + thread;
}

void life_stop_threads(unsigned vm)
{
    for (unsigned i = 0; i < config->vms[vm].nr_threads; i++) {
        seL4_TCB_Suspend(thread_of(vm, i));
    }
}

void life_resume_threads(unsigned vm)
{
    for (unsigned i = 0; i < config->vms[vm].nr_threads; i++) {
        seL4_TCB_Resume(thread_of(vm, i));
    }
}

/*
 * A run's mark is the time: an earlier run, perhaps one gone bad, has not known it, so it could not
 * announce the run to the other threads before the first has cleared what it has left.
 */
bool life_start_threads(unsigned vm)
{
    seL4_UserContext context;

    memset(&context, 0, sizeof(context));
    context.rip = config->entry;
    context.rflags = RFLAGS_INTERRUPTS;
    context.rsi = time_stamp() | 1;
    for (unsigned i = 0; i < config->vms[vm].nr_threads; i++) {
        context.rdi = i;
        context.fs_base = VMM_IPC_BUFFER_VADDR + (seL4_Word)i * (1u << seL4_PageBits);
        if (seL4_TCB_WriteRegisters(thread_of(vm, i), 0, 0, seL4_UserContextWords, &context) !=
            seL4_NoError) {
            return false;
        }
    }
    life_resume_threads(vm);
    return true;
}

void life_ask_resets(unsigned vm)
{
    for (unsigned server = 0; server < config->nr_servers; server++) {
        struct control_channel *control = control_of(server);

        for (unsigned i = 0; i < SERVER_MAX_CLIENTS; i++) {
            if ((config->vms[vm].clients[server] >> i & 1) != 0) {
                __atomic_store_n(&control->reset_wanted[i], ++resets_wanted[server][i],
                                 __ATOMIC_RELEASE);
            }
        }
        if (config->vms[vm].clients[server] != 0) {
            seL4_Signal(SUPERVISOR_SLOT_CONTROL + server);
        }
    }
}

/*
 * Without its console a VM can go on. A disk server that has stopped says nothing about what its
 * drives still do to the VM's memory.
 */
static enum life_resets resets_of(unsigned vm, unsigned server)
{
    struct control_channel *control = control_of(server);

    if (server_stopped[server]) {
        return server == SUPERVISOR_CONSOLE || config->vms[vm].clients[server] == 0
                   ? LIFE_RESETS_DONE
                   : LIFE_RESETS_NEVER;
    }
    for (unsigned i = 0; i < SERVER_MAX_CLIENTS; i++) {
        if ((config->vms[vm].clients[server] >> i & 1) != 0 &&
            __atomic_load_n(&control->reset_done[i], __ATOMIC_ACQUIRE) !=
                resets_wanted[server][i]) {
            return LIFE_RESETS_PENDING;
        }
    }
    return LIFE_RESETS_DONE;
}

enum life_resets life_resets(unsigned vm)
{
    enum life_resets all = LIFE_RESETS_DONE;

    for (unsigned server = 0; server < config->nr_servers && all != LIFE_RESETS_NEVER; server++) {
        enum life_resets one = resets_of(vm, server);

        all = one != LIFE_RESETS_DONE ? one : all;
    }
    return all;
}

void life_show(unsigned vm, const struct life *life)
{
    struct control_vm *shown = &control_of(SUPERVISOR_CONSOLE)->vms[vm];

    *shown = (struct control_vm){
        .state = life->state,
        .runs = life->runs,
        .since = time_stamp(),
        .begun = life->begun * config->tsc_mhz,
    };
}

/* Where the console server does not run any more, a debug kernel still takes it. */
void life_say(const char *line)
{
#ifdef BULKHEAD_DEBUG
    if (server_stopped[SUPERVISOR_CONSOLE]) {
        print("[bulkhead] %s\n", line);
    }
#endif
    server_say(&console, SUPERVISOR_SLOT_CONSOLE, line);
}

/* --- messages and commands --- */

static void hear_server(unsigned server, const struct message *message)
{
    char text[MESSAGE_BYTES], line[MESSAGE_BYTES + 2 * SERVER_NAME_BYTES];

    if (!server_stopped[server]) {
        server_stopped[server] = true;
        message_fault(message, "its program", text);
        format_text(line, sizeof(line), "server '%.31s': %s", config->servers[server].name, text);
        life_say(line);
    }
}

static void hear_vm(unsigned vm, const struct message *message)
{
    char text[MESSAGE_BYTES];
    enum outcome outcome = OUTCOME_FAILURE;

    if ((message->badge & PLAN_BADGE_FAULT) != 0) {
        message_fault(message, "its monitor", text);
    } else {
        outcome = message_report(message, text);
    }
    lives_ended(&lives, vm, outcome, text, microseconds());
}

static void hear(const struct message *message)
{
    uint64_t component = message->badge & ~PLAN_BADGE_FAULT;

    for (unsigned i = 0; i < config->nr_vms; i++) {
        if (config->vms[i].component == component) {
            hear_vm(i, message);
        }
    }
    for (unsigned i = 0; i < config->nr_servers; i++) {
        if (config->servers[i].component == component && (message->badge & PLAN_BADGE_FAULT) != 0) {
            hear_server(i, message);
        }
    }
}

static void look_at_commands(void)
{
    struct control_channel *control = control_of(SUPERVISOR_CONSOLE);

    for (unsigned vm = 0; vm < config->nr_vms; vm++) {
        uint32_t command = __atomic_load_n(&control->commands[vm], __ATOMIC_ACQUIRE);

        if (command != commands_seen[vm]) {
            commands_seen[vm] = command;
            lives_command(&lives, vm, command & ((1u << CONTROL_COMMAND_BITS) - 1));
        }
    }
}

/* --- the end --- */

/* Bochs ends when it reads this word, QEMU when anything comes to its debug port. */
static void leave_emulator(void)
{
    static const char word[] = "Shutdown";

    for (const char *at = word; *at != '\0'; at++) {
        seL4_X86_IOPort_Out8(SUPERVISOR_SLOT_SHUTDOWN, 0x8900, (seL4_Word)*at);
    }
    seL4_X86_IOPort_Out8(SUPERVISOR_SLOT_DEBUG_EXIT, 0xf4, 0);
}

/* The console server has put all out once the ring is empty. */
static void flush(void)
{
    for (unsigned i = 0; i < LEAVE_ROUNDS && !server_stopped[SUPERVISOR_CONSOLE] &&
                         ring_available(&console) != CONSOLE_OUTPUT_BYTES;
         i++) {
        seL4_Yield();
    }
}

static void all_have_ended(void)
{
    if (config->end_action == SUPERVISOR_END_EXIT) {
        life_say("all virtual machines have ended; leaving");
        flush();
        leave_emulator();
    }
    life_say("all virtual machines have ended; the system is idle");
}

/* --- the loop --- */

/* A fault is left without an answer, so its thread stands still until it is started anew. */
static bool receive(struct message *message)
{
    bool may_sleep = !lives_wait_for_time(&lives);
    seL4_MessageInfo_t info =
        may_sleep ? seL4_Recv(SUPERVISOR_SLOT_ENDPOINT, &message->badge, SUPERVISOR_SLOT_REPLY)
                  : seL4_NBRecv(SUPERVISOR_SLOT_ENDPOINT, &message->badge, SUPERVISOR_SLOT_REPLY);
    seL4_Word length = seL4_MessageInfo_get_length(info);

    message->label = seL4_MessageInfo_get_label(info);
    for (seL4_Word i = 0; i < length && i < MESSAGE_WORDS; i++) {
        message->words[i] = seL4_GetMR((int)i);
    }
    return message->badge != 0;
}

static _Noreturn void run(void)
{
    bool over = false;

    for (;;) {
        struct message message = { 0 };

        if (receive(&message)) {
            hear(&message);
        } else {
            seL4_Yield();
        }
        look_at_commands();
        lives_tick(&lives, microseconds());
        if (lives_are_over(&lives) && !over) {
            all_have_ended();
        }
        over = lives_are_over(&lives);
    }
}

int main(seL4_Word argument)
{
    struct console_channel *channel = (struct console_channel *)SUPERVISOR_CONSOLE_VADDR;

    (void)argument;
    seL4_SetIPCBuffer((seL4_IPCBuffer *)SERVER_IPC_BUFFER_VADDR);
    /* Written by the host tool that was built with this program. */
    if (config->magic != SUPERVISOR_CONFIG_MAGIC || config->version != SUPERVISOR_CONFIG_VERSION) {
        return 1;
    }
    ring_init(&console, RING_PRODUCER, &channel->output, channel->output_bytes, 1,
              CONSOLE_OUTPUT_BYTES);
    lives_init(&lives, config, microseconds());
    run();
}
