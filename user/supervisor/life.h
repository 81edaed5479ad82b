/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lives of virtual machines: what is done when one ends, fails, is paused, stopped or started.
 * Pure but for the functions below that act.
 *
 * Run        A run ends by its monitor's word, by a fault of the monitor's, or by command. Then its
 *            threads are stopped, and the servers are asked to reset its channels; only when
 *            they all have does it count as ended (its last lines are out, and nothing
 *            touches its memory), and it is said what happened and what comes next. A VM whose
 *            server never will is not started any more.
 * Next       A reboot of the guest's: it is started again. Power-off: only where the description
 *            says `always`. A failure: by the description after a while that doubles with each one,
 *            until there have been too many in a row. A run of LIFE_STEADY_MS ends the row.
 *            Between two starts of a VM there are LIFE_SPACING_MS at least.
 * Invariants L1  threads of a VM run only while its state is CONTROL_RUNNING
 *            L2  a VM is started only after all servers have reset its channels since it last ran
 *            L3  what comes in the name of a VM that does not run is ignored
 * Trust      Commands and resets are the servers' words: an unknown command is ignored; a server
 *            that never resets keeps its clients from starting, nobody else.
 * Units      time in microseconds since any one point
 */
#ifndef USER_SUPERVISOR_LIFE_H
#define USER_SUPERVISOR_LIFE_H

#include <stdbool.h>
#include <stdint.h>

#include "user/libserver/control.h"
#include "user/libserver/supervisor.h"
#include "user/supervisor/messages.h"

#define LIFE_STEADY_MS  (10u * 60 * 1000)
#define LIFE_SPACING_MS 1000u
/* How often the delay is doubled at most. */
#define LIFE_DOUBLINGS 6u

/* What comes after the end of a run. */
enum life_next {
    LIFE_BY_POLICY,
    LIFE_STOP,
    LIFE_RESTART,
};

/* What servers make of being asked for resets. */
enum life_resets {
    LIFE_RESETS_PENDING,
    LIFE_RESETS_DONE,
    LIFE_RESETS_NEVER,
};

struct life {
    enum control_state state; /* CONTROL_ENDING: its threads are stopped; waits for the servers */
    enum outcome outcome;
    enum life_next next;
    uint32_t runs;
    uint32_t failures;        /* in a row */
    uint64_t begun;           /* the present or last run */
    uint64_t start_at;        /* CONTROL_WAITING */
    char text[MESSAGE_BYTES]; /* how the run ended; empty: by command */
};

struct lives {
    const struct supervisor_config *config;
    struct life vms[SUPERVISOR_MAX_VMS];
};

/* --- what acts (main.c; faked in host tests) --- */

void life_stop_threads(unsigned vm);
void life_resume_threads(unsigned vm);
/* From the beginning of the program; false: they stand still, because the kernel refuses. */
bool life_start_threads(unsigned vm);
void life_ask_resets(unsigned vm);
enum life_resets life_resets(unsigned vm);
/* The VM's state has changed. */
void life_show(unsigned vm, const struct life *life);
void life_say(const char *line);

/* --- what happens --- */

/* All VMs have just been started for the first time. */
void lives_init(struct lives *lives, const struct supervisor_config *config, uint64_t now);
void lives_ended(struct lives *lives, unsigned vm, enum outcome outcome, const char *text,
                 uint64_t now);
/* command: anything */
void lives_command(struct lives *lives, unsigned vm, uint32_t command);
/* Goes on with what was waited for. */
void lives_tick(struct lives *lives, uint64_t now);
/* Whether lives_tick() is to be called soon, though nothing may come. */
bool lives_wait_for_time(const struct lives *lives);
/* Whether no VM runs, or will without being told to. */
bool lives_are_over(const struct lives *lives);

#endif
