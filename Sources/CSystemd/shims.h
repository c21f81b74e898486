// libsystemd: the journal, sd_notify(3) and the message catalog. sd_journal_send(3) is variadic, so entries go through
// sd_journal_sendv(3), which needs no wrapper.

#include <systemd/sd-daemon.h>
#include <systemd/sd-id128.h>
#include <systemd/sd-journal.h>
