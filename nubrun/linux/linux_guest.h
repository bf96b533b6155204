/* Linux programs in `nubrun run`, `snapshot` and `restore`: guests like others, but for what their options say and what is noted of
 * them.
 */
#ifndef CMD_LINUX_GUEST_H
#define CMD_LINUX_GUEST_H

#include "run/session.h"

/* The session's guest is one: can what the options ask be done with it? argv[0] is the file. Errors: USAGE, ENGINE, those of files. */
int cmd_linux_check(struct cmd_session *session, char **argv, struct nub_error *err);

/* The session's guest is none: is there nothing asked that is for one? Error: USAGE. */
int cmd_linux_check_none(const struct cmd_session *session, const char *file, struct nub_error *err);

/* Then have its configuration be what they say; opens what they name. argv is to live as long as the session. Errors: USAGE, those of
 * files. */
int cmd_linux_prepare(struct cmd_session *session, int argc, char **argv, struct nub_error *err);

/* Note in the session's report what the program asked for in vain. */
void cmd_linux_note_unsupported(struct cmd_session *session);

#endif
