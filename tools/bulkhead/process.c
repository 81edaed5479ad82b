/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bulkhead/process.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int spawn(pid_t *child, char *const *arguments, const char *log)
{
    extern char **environ;
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);

    if (error != 0) {
        return error;
    }
    if (log != NULL) {
        error = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log,
                                                 O_WRONLY | O_CREAT | O_APPEND, 0666);
        error = error != 0
                    ? error
                    : posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    }
    error =
        error != 0 ? error : posix_spawnp(child, arguments[0], &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

const char *process_run(char *const *arguments, const char *log)
{
    int error, status;
    pid_t child;

    error = spawn(&child, arguments, log);
    if (error != 0) {
        return strerror(error);
    }
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            return strerror(errno);
        }
    }
    return status == 0 ? NULL : "failed";
}
