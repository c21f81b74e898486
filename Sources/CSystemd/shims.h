// libsystemd: the journal, sd_notify(3) and the message catalog. sd_journal_send(3) is variadic, so entries go through
// sd_journal_sendv(3), which needs no wrapper.

// The C headers that both include must look the same here and in CLinux: fd_set is another structure without this.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include <systemd/sd-daemon.h>
#include <systemd/sd-id128.h>
#include <systemd/sd-journal.h>
